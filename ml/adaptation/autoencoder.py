"""Feature transfer by an autoencoder with a shared hidden layer.

Deng, Xia, Zhang, Liu, Schuller (ICASSP 2014): one encoder and a decoder per corpus rebuild source and target features,
so that what is hidden serves both; the classifier learns on what is hidden. Han, Zhao, Wang 2019, section III.A. Here
the shared encoder is the head's own lowest layer, so inference needs nothing more; its input is corrupted, its aim is
not (denoising: Vincent et al., ICML 2008).
"""

import numpy as np
import torch
from torch import Tensor, nn

from ml.adaptation.heads import Heard
from ml.adaptation.material import SOURCE, TARGET, UNLABELLED, Batch
from ml.adaptation.method import Method, Moment, Work, needed, setting
from ml.adaptation.mmd import LEAST


class SharedHiddenAutoencoder(Method):
    """Rebuilds frames for some steps before emotion is learned, and beside it."""

    name = "autoencoder"
    hears_target = True
    deviation: Tensor
    mean: Tensor

    def __init__(self, work: Work, *, steps: int = 100, weight: float = 0.1, corrupted: float = 0.3) -> None:
        super().__init__(work)
        setting(
            steps >= 0 and weight >= 0 and 0 < corrupted < 1, "autoencoder: steps and weight ≥ 0, 0 < corrupted < 1"
        )
        material, ears = work.material, work.network.ears
        ours = needed(material.domain(SOURCE), LEAST, "source utterances", self.name)
        theirs = needed(material.domain(TARGET, UNLABELLED), LEAST, "target utterances", self.name)
        some = np.concatenate([own[:: max(1, len(own) // 200)] for own in (ours, theirs)])
        rows = np.concatenate([work.frames.rows(int(number)) for number in some])
        for name, values in (("mean", rows.mean(axis=0)), ("deviation", rows.std(axis=0) + 1e-4)):
            self.register_buffer(name, torch.from_numpy(np.asarray(values)), persistent=False)
        self.decoders = nn.ModuleList(nn.Linear(ears.hidden_size, ears.reads) for _ in range(2))
        self.task_steps, self._weight, self._corrupted = steps, weight, corrupted
        self._ears = ears

    def loss(self, heard: Heard, batch: Batch, moment: Moment) -> Tensor | None:
        """A share of the error beside the cross-entropy."""
        return self._weight * self.task_loss(heard, batch) if self._weight else None

    def task_loss(self, heard: Heard, batch: Batch) -> Tensor:
        """Mean squared error of real frames, in deviations, from frames whose numbers were hidden at random."""
        frames = heard.frames.detach().float()
        kept = torch.rand_like(frames) > self._corrupted
        corrupt = torch.where(kept, frames, self.mean)
        hidden = self._ears.hidden(corrupt, batch.voices)
        source, target = (decoder(hidden) for decoder in self.decoders)
        said = torch.where(batch.is_target[:, None, None], target, source)
        error = (said - (frames - self.mean) / self.deviation).square().mean(dim=2)
        real = heard.mask.float()
        result: Tensor = (error * real).sum() / real.sum().clamp(min=1)
        return result
