"""How far annotators agree: Krippendorff's alpha (Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability").

Own code, because the PyPI package `krippendorff` is under the GPL, and because everything that alpha is made of adds up
over items, so that a thousand bootstrap samples are one product of matrices.

1 is perfect agreement, 0 what chance gives, below 0 systematic disagreement. By convention, labels from 0.8 on are
reliable and from 0.667 on good for tentative conclusions; of emotions in natural speech 0.2 to 0.5 is common.
"""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Bootstrap samples, and the share that the interval covers.
SAMPLES, COVERED = 1000, 0.95
#: Numbers of how often an item was drawn that are in memory at once.
_BLOCK = 5_000_000
_SEED = 0
#: Sums of squares that differ by less are the same.
_ZERO = 1e-12

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Agreement:
    """Alpha over `items` that two or more judged, with its interval; None with the reason in `note`."""

    items: int
    alpha: float | None = None
    low: float | None = None
    high: float | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class _Parts:
    """What alpha is made of, per item [n] or [n, k]: values, disagreement within, and what disagreement overall needs.

    `within` is the sum over ordered pairs of an item's values, each item's divided by its number of values less one.
    """

    count: Values
    within: Values
    #: Nominal: counts per class [n, k]. Interval: sums and sums of squares [n, 2].
    moments: Values


def nominal(items: Sequence[Sequence[Hashable]]) -> Agreement:
    """Agreement on classes: `items` holds the values given to each item; those with one value do not count."""
    judged = [values for values in items if len(values) > 1]
    classes = {value: place for place, value in enumerate(dict.fromkeys(v for values in judged for v in values))}
    counts = np.zeros((len(judged), len(classes)))
    for row, values in enumerate(judged):
        for value in values:
            counts[row, classes[value]] += 1
    total = counts.sum(axis=1)
    within = (total**2 - (counts**2).sum(axis=1)) / (total - 1) if len(judged) else np.zeros(0)
    return _agreement(_Parts(total, within, counts), _nominal_overall)


def interval(items: Sequence[Sequence[float]]) -> Agreement:
    """Agreement on points of a scale, whose differences count squared."""
    judged = [np.asarray(values, dtype=np.float64) for values in items if len(values) > 1]
    # Around the mean, so that squares of large values do not swallow small differences.
    middle = float(np.concatenate(judged).mean()) if judged else 0.0
    sums = np.array([[np.sum(v - middle), np.sum((v - middle) ** 2)] for v in judged]).reshape(len(judged), 2)
    total = np.array([len(values) for values in judged], dtype=np.float64)
    within = 2 * (total * sums[:, 1] - sums[:, 0] ** 2) / (total - 1) if judged else np.zeros(0)
    return _agreement(_Parts(total, within, sums), _interval_overall)


def _nominal_overall(total: Values, moments: Values) -> Values:
    return np.asarray(total**2 - (moments**2).sum(axis=-1))


def _interval_overall(total: Values, moments: Values) -> Values:
    return np.asarray(2 * (total * moments[..., 1] - moments[..., 0] ** 2))


def _agreement(parts: _Parts, overall: Any) -> Agreement:
    items = len(parts.count)
    if not items:
        return Agreement(0, note="nothing was judged by two or more annotators")
    alpha = float(_alphas(parts, overall, np.ones((1, items)))[0])
    if np.isnan(alpha):
        return Agreement(items, note="every judgement is the same, so that agreement cannot be told from habit")
    alphas = _resampled(parts, overall, items)
    if items < 2 or len(alphas) < SAMPLES // 2:
        return Agreement(items, alpha, note="too few items for an interval")
    low, high = np.quantile(alphas, [(1 - COVERED) / 2, (1 + COVERED) / 2])
    return Agreement(items, alpha, float(low), float(high))


def _resampled(parts: _Parts, overall: Any, items: int) -> Values:
    """Alpha of samples of the items with replacement, without those in which all values are the same."""
    random, found, block = np.random.default_rng(_SEED), [], max(1, _BLOCK // items)
    for start in range(0, SAMPLES, block):
        drawn = [
            np.bincount(random.integers(items, size=items), minlength=items) for _ in range(min(block, SAMPLES - start))
        ]
        found.append(_alphas(parts, overall, np.stack(drawn).astype(np.float64)))
    alphas = np.concatenate(found)
    return np.asarray(alphas[~np.isnan(alphas)])


def _alphas(parts: _Parts, overall: Any, weights: Values) -> Values:
    """Alpha of each sample [b], from how often each item is in it [b, n]; NaN where all values are the same."""
    total = weights @ parts.count
    expected = overall(total, weights @ parts.moments)
    observed = weights @ parts.within
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(expected > _ZERO * total**2, 1 - (total - 1) * observed / expected, np.nan)


def confusion(judged: Sequence[Mapping[str, str]]) -> dict[tuple[str, str], Counter[tuple[str, str]]]:
    """For each pair of annotators, in order of name, how often one said this and the other that.

    `judged` holds for each item what each annotator said.
    """
    pairs: dict[tuple[str, str], Counter[tuple[str, str]]] = {}
    for said in judged:
        people = sorted(said)
        for place, first in enumerate(people):
            for second in people[place + 1 :]:
                pairs.setdefault((first, second), Counter())[said[first], said[second]] += 1
    return pairs


def dispute(values: Sequence[str]) -> float:
    """How much an item is disputed, from 0 (all say the same) to 1: the share of pairs that differ."""
    count = len(values)
    same = sum(number * (number - 1) for number in Counter(values).values())
    return 1 - same / (count * (count - 1)) if count > 1 else 0.0
