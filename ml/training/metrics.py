"""Classification metrics, named without ambiguity (reference: scikit-learn's definitions).

Papers say WA for accuracy and UA (or UAR) for balanced accuracy; some have it the other way round, so neither name is
used in code or storage.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: Bins of equal width that calibration is judged in.
BINS = 15


def confusion(labels: NDArray[np.int64], predicted: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """Counts [true, predicted]."""
    matrix = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(matrix, (labels, predicted), 1)
    return matrix


def accuracy(labels: NDArray[np.int64], predicted: NDArray[np.int64]) -> float:
    """Share of items that are right (WA, weighted accuracy)."""
    return float((labels == predicted).mean())


def balanced_accuracy(labels: NDArray[np.int64], predicted: NDArray[np.int64]) -> float:
    """Mean recall over the classes that occur (unweighted average recall)."""
    return float(np.mean([(predicted[labels == c] == c).mean() for c in np.unique(labels)]))


def macro_f1(labels: NDArray[np.int64], predicted: NDArray[np.int64]) -> float:
    """Mean F1 over the classes that occur."""
    return float(np.mean([_f1(labels, predicted, c) for c in np.unique(labels)]))


def weighted_f1(labels: NDArray[np.int64], predicted: NDArray[np.int64]) -> float:
    """Mean F1 over the classes that occur, each counted as often as it occurs."""
    classes, counts = np.unique(labels, return_counts=True)
    return float(np.average([_f1(labels, predicted, c) for c in classes], weights=counts))


def _f1(labels: NDArray[np.int64], predicted: NDArray[np.int64], c: int) -> float:
    hits = int(((labels == c) & (predicted == c)).sum())
    return 2 * hits / max(1, int((labels == c).sum() + (predicted == c).sum()))


def recalls(matrix: NDArray[np.int64]) -> list[float | None]:
    """Recall of every class from a confusion matrix [true, predicted]; None for one that does not occur."""
    return [float(row[c] / row.sum()) if row.sum() else None for c, row in enumerate(matrix)]


@dataclass(frozen=True, slots=True)
class Bin:
    """Items whose highest probability lies in one interval: how sure the model was, how often it was right."""

    count: int
    confidence: float
    accuracy: float


def reliability(probabilities: NDArray[np.float64], labels: NDArray[np.int64], bins: int = BINS) -> list[Bin]:
    """Bins (0, 1/bins], …, (1 − 1/bins, 1] that hold any of the items [N, C]; Guo et al. (ICML 2017), section 2."""
    sure, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    which = np.clip(np.ceil(sure * bins).astype(int) - 1, 0, bins - 1)
    chosen = [which == b for b in np.unique(which)]
    return [Bin(int(own.sum()), float(sure[own].mean()), float(right[own].mean())) for own in chosen]


def expected_calibration_error(
    probabilities: NDArray[np.float64], labels: NDArray[np.int64], bins: int = BINS
) -> float:
    """Mean distance between confidence and accuracy over the bins, each counted by its items."""
    found = reliability(probabilities, labels, bins)
    return sum(b.count * abs(b.confidence - b.accuracy) for b in found) / sum(b.count for b in found)


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with the bounds of its 95 % confidence interval; None: there is nothing to estimate them from."""

    value: float
    low: float | None
    high: float | None


def bootstrap(
    labels: NDArray[np.int64],
    predicted: NDArray[np.int64],
    speakers: Sequence[str],
    classes: int,
    *,
    resamples: int = 2000,
    seed: int = 0,
) -> dict[str, Interval]:
    """Accuracy and balanced accuracy with percentile intervals over speakers drawn with replacement.

    Speakers, not items, are drawn: items of one speaker are not independent, and drawing them would flatter. Of a
    single speaker nothing can be drawn that differs, so there are no bounds.
    """
    names, owners = np.unique(np.asarray(speakers), return_inverse=True)
    counts = np.zeros((len(names), classes, classes))
    np.add.at(counts, (owners, labels, predicted), 1)
    drawn = np.random.default_rng(seed).multinomial(len(names), np.full(len(names), 1 / len(names)), resamples)
    matrices = np.tensordot(drawn.astype(float), counts, axes=1)
    whole = counts.sum(axis=0)[None]
    found = {}
    for name, of in (("accuracy", _accuracies), ("balanced_accuracy", _balanced)):
        bounds = [float(b) for b in np.percentile(of(matrices), [2.5, 97.5])] if len(names) > 1 else [None, None]
        found[name] = Interval(float(of(whole)[0]), *bounds)
    return found


def _accuracies(matrices: NDArray[np.float64]) -> NDArray[np.float64]:
    result: NDArray[np.float64] = np.trace(matrices, axis1=1, axis2=2) / matrices.sum(axis=(1, 2))
    return result


def _balanced(matrices: NDArray[np.float64]) -> NDArray[np.float64]:
    totals = matrices.sum(axis=2)
    with np.errstate(invalid="ignore", divide="ignore"):
        recall = np.diagonal(matrices, axis1=1, axis2=2) / totals
    result: NDArray[np.float64] = np.nanmean(recall, axis=1)
    return result
