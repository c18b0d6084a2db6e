"""Temperature scaling: one number that makes a classifier's confidence match its accuracy.

Guo, Pleiss, Sun, Weinberger (ICML 2017), section 4.2.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray


def log_softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Row-wise log-softmax of [N, C]."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    result: NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return result


def negative_log_likelihood(logits: NDArray[np.float64], labels: NDArray[np.int64], temperature: float) -> float:
    """Mean negative log-likelihood of labels [N] under softmax(logits [N, C] / temperature)."""
    return float(-log_softmax(logits / temperature)[np.arange(len(labels)), labels].mean())


def lowest(loss: Callable[[float], float], low: float, high: float) -> float:
    """Where in [low, high] a loss with one valley is lowest (golden-section search, 40 steps: 1e-8 of the range)."""
    ratio = (np.sqrt(5) - 1) / 2
    for _ in range(40):
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        low, high = (low, right) if loss(left) < loss(right) else (left, high)
    return float((low + high) / 2)


def fit_temperature(logits: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """The temperature in [0.25, 8] with the lowest likelihood loss on a development set."""
    best = lowest(
        lambda exponent: negative_log_likelihood(logits, labels, float(np.exp(exponent))), np.log(0.25), np.log(8.0)
    )
    return float(np.exp(best))
