"""Champion against challenger on the same utterances: the difference of balanced accuracy, and how sure it is."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.emotions import EMOTIONS
from ml.training.metrics import balanced_accuracy

RESAMPLES = 4000
#: Fewer people than this say nothing about others when they are drawn with replacement; then utterances are drawn.
FEW_SPEAKERS = 4

Labels = NDArray[np.int64]
Scores = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Pair:
    """N labelled utterances and what both versions say of them; -1 where a version has no score.

    `labels` and predictions are places in `EMOTIONS`.
    """

    name: str
    labels: Labels
    speakers: Sequence[str]
    champion: Labels
    challenger: Labels

    @classmethod
    def of_scores(
        cls, name: str, labels: Labels, speakers: Sequence[str], champion: Scores, challenger: Scores
    ) -> "Pair":
        """From probabilities [N, 7] with NaN for classes that a version does not know."""
        return cls(name, labels, speakers, best(champion), best(challenger))

    def only(self, kept: NDArray[np.bool_], name: str) -> "Pair":
        """The utterances of a mask [N], under another name."""
        speakers = [speaker for speaker, keep in zip(self.speakers, kept, strict=True) if keep]
        return Pair(name, self.labels[kept], speakers, self.champion[kept], self.challenger[kept])


@dataclass(frozen=True, slots=True)
class Comparison:
    """Balanced accuracy of both, and challenger minus champion with the bounds of its 95 % interval."""

    name: str
    items: int
    speakers: int
    champion: float
    challenger: float
    difference: float
    low: float
    high: float
    #: What was drawn with replacement: "speakers", or "utterances" where there are too few of those.
    drawn: str


def best(scores: Scores) -> Labels:
    """The most probable class [N] of probabilities [N, 7] that may hold NaN; -1 where all of a row is."""
    known = ~np.isnan(scores).all(axis=1)
    return np.where(known, np.where(np.isnan(scores), -1.0, scores).argmax(axis=1), -1).astype(np.int64)


def compare(pair: Pair, *, resamples: int = RESAMPLES, seed: int = 0) -> Comparison:
    """Paired bootstrap over speakers (Efron and Tibshirani 1993, chapter 16; Bisani and Ney, ICASSP 2004).

    Both versions are reckoned over the same drawn speakers, so that what makes a speaker hard or easy cancels out.
    Raises `ValueError` for no utterances.
    """
    if not len(pair.labels):
        raise ValueError(f"{pair.name} has no utterances")
    names = np.unique(np.asarray(pair.speakers))
    by_speaker = len(names) >= FEW_SPEAKERS
    owners = np.searchsorted(names, np.asarray(pair.speakers)) if by_speaker else np.arange(len(pair.labels))
    units = len(names) if by_speaker else len(pair.labels)
    drawn = np.random.default_rng(seed).multinomial(units, np.full(units, 1 / units), resamples).astype(float)
    totals = drawn @ _counts(owners, units, pair.labels, np.ones(len(pair.labels)))
    recalls = [
        drawn @ _counts(owners, units, pair.labels, (said == pair.labels).astype(float))
        for said in (pair.champion, pair.challenger)
    ]
    with np.errstate(invalid="ignore", divide="ignore"):
        before, after = (np.nanmean(right / totals, axis=1) for right in recalls)
    low, high = np.percentile(after - before, [2.5, 97.5])
    champion, challenger = (balanced_accuracy(pair.labels, said) for said in (pair.champion, pair.challenger))
    return Comparison(
        pair.name, len(pair.labels), len(names), champion, challenger, challenger - champion,
        float(low), float(high), "speakers" if by_speaker else "utterances",
    )  # fmt: skip


def _counts(owners: NDArray[np.int64], units: int, labels: Labels, weights: NDArray[np.float64]) -> Scores:
    """[units, classes]: the sum of the weights of each unit's items, by class."""
    counts = np.zeros((units, len(EMOTIONS)))
    np.add.at(counts, (owners, labels), weights)
    return counts
