"""Maximum mean discrepancy: how far apart two samples lie in many kernels at once, and a loss that brings them closer.

Gretton et al. (JMLR 2012, lemma 6: the unbiased estimator; section 8: bandwidth by the median distance); as a loss on a
network's features: deep adaptation networks, Long et al. (ICML 2015, section 3). Feature-based transfer of Han, Zhao,
Wang 2019, section III.A.
"""

from abc import ABC, abstractmethod

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ml.adaptation.heads import Heard
from ml.adaptation.material import SOURCE, TARGET, UNLABELLED, Batch
from ml.adaptation.method import Method, Moment, Work, needed, setting

#: Bandwidths as multiples of the median squared distance.
FACTORS = (0.25, 0.5, 1.0, 2.0, 4.0)
#: Fewer of either side in a batch say nothing.
LEAST = 4


def squared_mmd(ours: Tensor, theirs: Tensor) -> Tensor:
    """The unbiased squared discrepancy of samples [n, D] and [m, D], mean over five Gaussian kernels.

    The median is over all pairs of different points, and no gradient flows through it.
    """
    both = torch.cat([ours, theirs])
    # By products, since all differences of wide embeddings at once would take gigabytes.
    lengths = both.square().sum(dim=1)
    distances = (lengths[:, None] + lengths[None] - 2 * both @ both.T).clamp(min=0)
    count, n = len(both), len(ours)
    apart = ~torch.eye(count, dtype=torch.bool, device=both.device)
    median = distances.detach()[apart].median().clamp(min=1e-12)
    kernel = torch.stack([torch.exp(-distances / (factor * median)) for factor in FACTORS]).mean(dim=0)
    within = kernel * apart
    m = count - n
    own, other = within[:n, :n].sum() / (n * (n - 1)), within[n:, n:].sum() / (m * (m - 1))
    result: Tensor = own + other - 2 * kernel[:n, n:].mean()
    return result


def discrepancy(ours: NDArray[np.float32], theirs: NDArray[np.float32]) -> float:
    """`squared_mmd` of arrays, each dimension brought to unit deviation over both."""
    both = np.concatenate([ours, theirs]).astype(np.float64)
    scaled = torch.from_numpy((both - both.mean(axis=0)) / (both.std(axis=0) + 1e-6))
    return float(squared_mmd(scaled[: len(ours)], scaled[len(ours) :]))


def sides(heard: Heard, batch: Batch) -> tuple[Tensor, Tensor] | None:
    """Embeddings of the source [n, D] and of the target [m, D] in a batch; None where either has too few."""
    ours, theirs = heard.embedding[~batch.is_target].float(), heard.embedding[batch.is_target].float()
    return None if min(len(ours), len(theirs)) < LEAST else (ours, theirs)


def ramp(progress: float) -> float:
    """From 0 to 1 along Ganin's curve, so that features form before they are aligned (Ganin et al. 2016, 5.2.2)."""
    return float(2 / (1 + np.exp(-10 * progress)) - 1)


class Alignment(Method, ABC):
    """Adds a distance between source and target embeddings, ramped; subclasses say which, and its usual weight."""

    hears_target = True
    usual_weight: float

    def __init__(self, work: Work, *, weight: float | None = None) -> None:
        super().__init__(work)
        self._weight = self.usual_weight if weight is None else weight
        setting(self._weight > 0, f"the weight of {self.name} has to be positive")
        needed(work.material.domain(SOURCE), LEAST, "source utterances", self.name)
        needed(work.material.domain(TARGET, UNLABELLED), LEAST, "target utterances", self.name)

    def loss(self, heard: Heard, batch: Batch, moment: Moment) -> Tensor | None:
        """See the class."""
        found = sides(heard, batch)
        return None if found is None else self._weight * ramp(moment.progress) * self.distance(*found)

    @abstractmethod
    def distance(self, ours: Tensor, theirs: Tensor) -> Tensor:
        """Of embeddings of the source [n, D] and of the target [m, D]."""


class MmdAlignment(Alignment):
    """Adds the discrepancy between source and target embeddings."""

    name = "mmd"
    usual_weight = 1.0

    def distance(self, ours: Tensor, theirs: Tensor) -> Tensor:
        """`squared_mmd`."""
        return squared_mmd(ours, theirs)
