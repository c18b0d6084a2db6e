"""How much of the speaker the codes still hold: a classifier of speakers trained on codes alone.

Makiuchi, Uto, Shinoda (ASRU 2021), section 6.2: the fewer speakers it recognises on held-out utterances of the same
speakers, the better codes and voice are disentangled. The encoder is not trained with it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ml.errors import ModelError

#: Widths, learning rate and passes of the released code.
WIDTHS = (2048, 1024, 1024)
LEARNING_RATE, EPOCHS = 1e-4, 10


class SpeakerProbe(nn.Module):
    """Codes of a segment to speaker logits."""

    def __init__(self, input_size: int, speakers: int, widths: tuple[int, ...] = WIDTHS) -> None:
        super().__init__()
        sizes = (input_size, *widths)
        hidden = [layer for narrow, wide in pairwise(sizes) for layer in (nn.Linear(narrow, wide), nn.Softplus())]
        self.layers = nn.Sequential(*hidden, nn.Linear(sizes[-1], speakers))

    def forward(self, codes: Tensor) -> Tensor:
        """Logits [B, speakers] of flattened codes [B, input]."""
        logits: Tensor = self.layers(codes)
        return logits


@dataclass(frozen=True, slots=True)
class CodedUtterance:
    """One utterance: the codes of its segments [segments, …] and who speaks, 0 to speakers - 1."""

    codes: NDArray[np.float32]
    speaker: int

    def flat(self) -> Tensor:
        """[segments, numbers per segment]."""
        return torch.from_numpy(self.codes.reshape(len(self.codes), -1))


def train_probe(
    utterances: Sequence[CodedUtterance],
    *,
    speakers: int,
    epochs: int = EPOCHS,
    learning_rate: float = LEARNING_RATE,
    widths: tuple[int, ...] = WIDTHS,
    batch: int = 1,
    seed: int = 0,
    device: str = "cpu",
) -> SpeakerProbe:
    """Train a probe; the defaults are the paper's, one step per segment. Equal seeds give equal probes on a CPU."""
    if not utterances or max(it.speaker for it in utterances) >= speakers:
        raise ModelError(f"the speaker probe needs utterances of speakers 0 to {speakers - 1}")
    segments = torch.cat([it.flat() for it in utterances]).to(device)
    owners = torch.tensor([it.speaker for it in utterances for _ in it.codes], device=device)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        probe = SpeakerProbe(segments.shape[1], speakers, widths).to(device)
    order = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.Adam(probe.parameters(), lr=learning_rate)
    for _ in range(epochs):
        for rows in torch.randperm(len(segments), generator=order).split(batch):
            optimiser.zero_grad()
            nn.functional.cross_entropy(probe(segments[rows]), owners[rows]).backward()
            optimiser.step()
    return probe.eval()


@torch.inference_mode()
def recognised(probe: SpeakerProbe, utterances: Sequence[CodedUtterance]) -> NDArray[np.int64]:
    """The speaker [N] of each utterance by the sum of its segments' probabilities."""
    device = next(probe.parameters()).device
    sums = [torch.softmax(probe(it.flat().to(device)).double(), dim=1).sum(dim=0) for it in utterances]
    return np.array([int(total.argmax()) for total in sums], dtype=np.int64)


def probe_accuracy(probe: SpeakerProbe, utterances: Sequence[CodedUtterance]) -> float:
    """Share of utterances whose speaker is recognised; chance is one over the number of speakers."""
    return float(np.mean(recognised(probe, utterances) == [it.speaker for it in utterances]))
