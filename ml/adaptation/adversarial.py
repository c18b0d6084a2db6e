"""Domain-adversarial training: features from which nobody can tell the corpus, or the speaker.

Ganin et al. (JMLR 2016, section 4.2): a discriminator learns the domain, and its gradient is turned round before it
reaches the features. With speakers for domains: arXiv 1903.09606, which reports 5.6 % more on IEMOCAP.
Feature-based transfer of Han, Zhao, Wang 2019, section III.A. It often does not converge on small corpora.
"""

from typing import Any

import torch
from torch import Tensor, nn

from ml.adaptation.heads import Heard
from ml.adaptation.material import SOURCE, TARGET, UNLABELLED, Batch
from ml.adaptation.method import Method, Moment, Work, needed, setting
from ml.adaptation.mmd import LEAST, ramp
from ml.adaptation.multitask import Naming, code_width


class _Reversal(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, strength: float) -> Tensor:
        ctx.strength = strength
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return -ctx.strength * gradients[0], None


def reversed_gradient(values: Tensor, strength: float) -> Tensor:
    """The same values; gradients come back multiplied by minus `strength`."""
    result: Tensor = _Reversal.apply(values, strength)  # type: ignore[no-untyped-call]
    return result


class DomainAdversarial(Method):
    """A discriminator of two layers between the corpora, against which the embedding learns.

    The strength follows 2 / (1 + exp(-10 p)) - 1 over the run's progress p.
    """

    name = "dann"
    hears_target = True

    def __init__(self, work: Work, *, hidden: int = 64, strength: float = 0.3) -> None:
        super().__init__(work)
        setting(hidden >= 1 and strength > 0, "hidden and strength of dann have to be positive")
        needed(work.material.domain(SOURCE), LEAST, "source utterances", self.name)
        needed(work.material.domain(TARGET, UNLABELLED), LEAST, "target utterances", self.name)
        self.discriminator = nn.Sequential(nn.Linear(code_width(work), hidden), nn.ReLU(), nn.Linear(hidden, 1))
        self._strength = strength

    def loss(self, heard: Heard, batch: Batch, moment: Moment) -> Tensor | None:
        """Cross-entropy of the domain, both sides counting the same."""
        strength = self._strength * ramp(moment.progress)
        said = self.discriminator(reversed_gradient(heard.embedding.float(), strength))[:, 0]
        domain = batch.is_target.float()
        share = domain.mean().clamp(0.05, 0.95)
        weights = torch.where(batch.is_target, 0.5 / share, 0.5 / (1 - share))
        return nn.functional.binary_cross_entropy_with_logits(said, domain, weight=weights)


class SpeakerAdversarial(Method):
    """A classifier of speakers, against which the embedding learns: less of the person, more of the feeling."""

    name = "speaker-adversarial"

    def __init__(self, work: Work, *, strength: float = 0.1) -> None:
        super().__init__(work)
        setting(strength > 0, "the strength of speaker-adversarial has to be positive")
        held = {work.material.items[i].speaker for i in work.material.development}
        said = [None if name in held else name for name in work.material.speakers]
        self.naming, self._strength = Naming(work, said, code_width(work)), strength

    def loss(self, heard: Heard, batch: Batch, moment: Moment) -> Tensor | None:
        """Cross-entropy of the speaker, turned round for the embedding."""
        turned = reversed_gradient(heard.embedding.float(), self._strength * ramp(moment.progress))
        return self.naming.loss(turned, batch)
