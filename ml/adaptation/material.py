"""What an adaptation learns from, and the batches that are drawn from it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ml.adaptation.bank import FrameBank
from ml.corpora.types import LabelledUtterance
from ml.emotions import EMOTIONS
from ml.training.splits import SplitImpossible, development_set

#: Where an utterance comes from. Target and unlabelled are one domain, that of the new corpus; source is the other.
TARGET, SOURCE, UNLABELLED = 0, 1, 2

Indices = NDArray[np.int64]


@dataclass
class Material:
    """N utterances. `odds` and `targets` may be changed by a method before training begins."""

    items: tuple[LabelledUtterance, ...]
    #: TARGET, SOURCE or UNLABELLED [N].
    part: NDArray[np.int64]
    #: Share of votes for each class [N, classes]; zeros where there is no label.
    targets: NDArray[np.float32]
    #: What an utterance counts in the loss [N].
    weights: NDArray[np.float32]
    #: As much of speakers' vectors as the head reads [N, V], or [N, 0].
    voices: NDArray[np.float32]
    #: Labelled utterances of speakers that decide when to stop; none trains on them.
    development: Indices

    @property
    def labels(self) -> NDArray[np.int64]:
        """Class numbers [N], -1 where there is no label."""
        return np.where(self.targets.any(axis=1), self.targets.argmax(axis=1), -1)

    @property
    def speakers(self) -> list[str]:
        """Whose each utterance is [N]."""
        return [item.speaker for item in self.items]

    def training(self, *parts: int) -> Indices:
        """Numbers of the labelled utterances to train on; of all parts, or of those that are named."""
        chosen = self.labels >= 0
        chosen[self.development] = False
        if parts:
            chosen &= np.isin(self.part, parts)
        return np.flatnonzero(chosen)

    def domain(self, *parts: int) -> Indices:
        """Numbers of all utterances of those parts that may be heard in training, labelled or not."""
        chosen = np.isin(self.part, parts)
        chosen[self.development] = False
        return np.flatnonzero(chosen)


class Batch(NamedTuple):
    """B utterances. Those without a label come last and have weight 0."""

    #: Numbers in the material [B].
    numbers: Indices
    #: Conv features or frames [B, T, width], with which of them are real [B, T].
    features: Tensor
    mask: Tensor
    voices: Tensor
    targets: Tensor
    weights: Tensor
    #: True where an utterance is of the new corpus [B].
    is_target: Tensor


def soft_targets(items: Sequence[LabelledUtterance], labels: Sequence[str]) -> NDArray[np.float32]:
    """Share of votes [N, labels] among these labels; zeros where there is no label, or none of these."""
    result = np.zeros((len(items), len(labels)), dtype=np.float32)
    columns = [EMOTIONS.index(label) for label in labels]
    for row, item in enumerate(items):
        if item.distribution is not None and (own := np.asarray(item.distribution)[columns]).sum() > 0:
            result[row] = own / own.sum()
        elif item.label is not None and item.label in labels:
            result[row, list(labels).index(item.label)] = 1
    return result


def held_speakers(material_part: Indices, labels: Indices, speakers: Sequence[str], share: float, seed: int) -> Indices:
    """Labelled utterances of the speakers that decide: of the target where it has labels, else of the source."""
    labelled = np.flatnonzero(labels >= 0)
    own = labelled[material_part[labelled] == TARGET]
    candidates = own if len(own) else labelled
    if not share:
        return np.zeros(0, dtype=np.int64)
    try:
        return development_set(candidates, speakers, labels, seed=seed, share=share)[1]
    except SplitImpossible:
        return np.zeros(0, dtype=np.int64)


class Draw:
    """Draws batches in which corpora and their classes are even, whatever their sizes."""

    def __init__(
        self, material: Material, *, labelled: int, source_share: float, unlabelled: int, segment: int, segments: int
    ) -> None:
        """`labelled` and `unlabelled` utterances per batch, each of up to `segments` of `segment` frames."""
        self._material, self._segment, self._segments = material, segment, segments
        self._counts = (labelled, unlabelled)
        self._training, self._odds = self._labelled(source_share)
        self._heard = material.domain(TARGET, UNLABELLED)

    def batch(self, bank: FrameBank, rng: np.random.Generator, device: str) -> Batch:
        """One batch over a bank of conv features or frames."""
        picked = rng.choice(self._training, size=self._counts[0], p=self._odds)
        if self._counts[1]:
            picked = np.concatenate([picked, rng.choice(self._heard, size=self._counts[1])])
        size = (self._segment, self._segments)
        return make_batch(self._material, bank, picked, size, device, rng=rng, labelled=self._counts[0])

    def _labelled(self, source_share: float) -> tuple[Indices, NDArray[np.float64]]:
        material, training = self._material, self._material.training()
        labels, part = material.labels[training], material.part[training]
        corpora = np.array([material.items[i].corpus for i in training])
        odds = np.zeros(len(training))
        both = len(np.unique(part == SOURCE)) == 2
        for of_source in (False, True):
            rows = (part == SOURCE) == of_source
            share = (source_share if of_source else 1 - source_share) if both else 1.0
            for corpus in np.unique(corpora[rows]):
                for label in np.unique(labels[rows & (corpora == corpus)]):
                    own = rows & (corpora == corpus) & (labels == label)
                    odds[own] = share / len(np.unique(corpora[rows])) / own.sum()
                own = rows & (corpora == corpus)
                odds[own] /= len(np.unique(labels[own]))
        return training, np.asarray(odds / odds.sum())


def make_batch(
    material: Material,
    bank: FrameBank,
    numbers: Indices,
    size: tuple[int, int],
    device: str,
    *,
    rng: np.random.Generator | None = None,
    labelled: int | None = None,
) -> Batch:
    """Utterances by number: with `rng` cropped at random, else whole; from position `labelled` on as unlabelled.

    `size` is the frames of a segment, and how many segments a crop has at most.
    """
    segment, segments = size
    lengths = bank.lengths[numbers]
    longest = int(min(segments * segment, lengths.max())) if rng is not None else int(lengths.max())
    width = -(-max(longest, 1) // segment) * segment
    features = np.zeros((len(numbers), width, bank.width), dtype=np.float32)
    mask = np.zeros((len(numbers), width), dtype=bool)
    for row, number in enumerate(numbers):
        start = int(rng.integers(max(1, lengths[row] - width + 1))) if rng is not None else 0
        own = bank.rows(int(number), start, start + width)
        features[row, : len(own)], mask[row, : len(own)] = own, True
    weights, targets = material.weights[numbers].copy(), material.targets[numbers].copy()
    if labelled is not None:
        weights[labelled:], targets[labelled:] = 0, 0
    arrays = (features, mask, material.voices[numbers], targets, weights, material.part[numbers] != SOURCE)
    return Batch(numbers, *(torch.from_numpy(array).to(device) for array in arrays))


def in_order(
    material: Material, bank: FrameBank, numbers: Indices, hear: Callable[[Batch], Tensor], segment: int, device: str
) -> NDArray[np.float32]:
    """What `hear` says of whole utterances [n, …], in their order; batches are of about equal lengths."""
    order = numbers[np.argsort(bank.lengths[numbers], kind="stable")]
    place = {int(number): row for row, number in enumerate(numbers)}
    result: NDArray[np.float32] | None = None
    for begin in range(0, len(order), 32):
        own = order[begin : begin + 32]
        values = hear(make_batch(material, bank, own, (segment, 1), device)).float().cpu().numpy()
        if result is None:
            result = np.zeros((len(numbers), *values.shape[1:]), dtype=np.float32)
        result[[place[int(number)] for number in own]] = values
    return np.zeros((0, 0), dtype=np.float32) if result is None else result
