"""Classification metrics, named without ambiguity (reference: scikit-learn's definitions)."""

import numpy as np
from numpy.typing import NDArray


def confusion(labels: NDArray[np.int64], predicted: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """Counts [true, predicted]."""
    matrix = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(matrix, (labels, predicted), 1)
    return matrix


def balanced_accuracy(labels: NDArray[np.int64], predicted: NDArray[np.int64]) -> float:
    """Mean recall over the classes that occur (unweighted average recall)."""
    return float(np.mean([(predicted[labels == c] == c).mean() for c in np.unique(labels)]))


def macro_f1(labels: NDArray[np.int64], predicted: NDArray[np.int64]) -> float:
    """Mean F1 over the classes that occur."""
    scores = []
    for c in np.unique(labels):
        hits = int(((labels == c) & (predicted == c)).sum())
        scores.append(2 * hits / max(1, int((labels == c).sum() + (predicted == c).sum())))
    return float(np.mean(scores))
