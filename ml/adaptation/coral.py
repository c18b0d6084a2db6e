"""Correlation alignment: source features with the target's covariance.

Sun, Feng, Saenko (AAAI 2016): in closed form, whiten with the source's covariance and colour with the target's; Sun and
Saenko (ECCV workshops 2016): as a loss on a network's features. Feature-based transfer of Han, Zhao, Wang 2019, III.A.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ml.adaptation.material import SOURCE, TARGET, UNLABELLED, Batch, Indices
from ml.adaptation.method import Method, Work, needed, setting
from ml.adaptation.mmd import LEAST, Alignment

Floats = NDArray[np.float64]
#: Frames that covariances are measured on, at most.
FRAMES = 20_000


def _power(covariance: Floats, exponent: float) -> Floats:
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray((vectors * np.maximum(values, 1e-12) ** exponent) @ vectors.T)


def coral_map(source: Floats, target: Floats, *, ridge: float) -> Floats:
    """(C_s + ridge I)^-1/2 (C_t + ridge I)^1/2 of samples [n, D] and [m, D]; multiply centred rows from the right."""
    ours, theirs = (np.cov(own, rowvar=False) + ridge * np.eye(own.shape[1]) for own in (source, target))
    return _power(ours, -0.5) @ _power(theirs, 0.5)


def coral_loss(ours: Tensor, theirs: Tensor) -> Tensor:
    """‖C_s - C_t‖² / 4 D² of samples [n, D] and [m, D]."""
    difference = torch.cov(ours.T) - torch.cov(theirs.T)
    result: Tensor = difference.square().sum() / (4 * ours.shape[1] ** 2)
    return result


class Coral(Method):
    """What the head reads of the source gets the target's mean and covariance; what it reads of the target stays."""

    name = "coral"
    matrix: Tensor
    means: Tensor

    def __init__(self, work: Work, *, ridge: float = 0.01) -> None:
        super().__init__(work)
        setting(ridge > 0, "ridge of coral has to be positive")
        setting(
            work.plan.encoder_steps == 0, "coral maps the frames of an encoder that stays: encoder_steps have to be 0"
        )
        material = work.material
        ours = self._frames(work, needed(material.domain(SOURCE), LEAST, "source utterances", self.name))
        theirs = self._frames(work, needed(material.domain(TARGET, UNLABELLED), LEAST, "target utterances", self.name))
        both, (rows, width) = np.concatenate([ours, theirs]), min(ours.shape, theirs.shape)
        unit = np.ones(width) if work.network.ears.alike else both.std(axis=0) + 1e-6
        # A small sample says little of many covariances.
        least = float((both / unit).var(axis=0).mean()) * (ridge if rows >= 10 * width else max(ridge, width / rows))
        found = {"matrix": coral_map(ours / unit, theirs / unit, ridge=least) * unit / unit[:, None]}
        found["means"] = np.stack([ours.mean(axis=0), theirs.mean(axis=0)])
        for name, values in found.items():
            tensor = torch.from_numpy(values).float().to(work.device)
            self.register_buffer(name, tensor, persistent=False)

    def remap(self, frames: Tensor, batch: Batch) -> Tensor:
        """See the class."""
        moved = (frames - self.means[0]) @ self.matrix + self.means[1]
        return torch.where(batch.is_target[:, None, None], frames, moved * batch.mask[:, :, None])

    @staticmethod
    def _frames(work: Work, numbers: Indices) -> Floats:
        rng = np.random.default_rng(work.plan.seed)
        each = max(1, FRAMES // len(numbers))
        rows = []
        for number in numbers:
            length = int(work.frames.lengths[number])
            own = work.frames.rows(int(number))
            rows.append(own[np.sort(rng.permutation(length)[:each])])
        return np.concatenate(rows).astype(np.float64)


class DeepCoral(Alignment):
    """Adds the distance between covariances of source and target embeddings.

    Embeddings are divided by their deviation in the batch, so that one weight suits heads of any size.
    """

    name = "deep-coral"
    usual_weight = 3.0

    def distance(self, ours: Tensor, theirs: Tensor) -> Tensor:
        """`coral_loss` in deviations."""
        deviation = torch.cat([ours, theirs]).detach().std(dim=0).clamp(min=1e-4)
        return coral_loss(ours / deviation, theirs / deviation)
