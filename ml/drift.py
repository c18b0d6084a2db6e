"""Has what a model meets changed? Distributions of recent output against those of a time when all was well.

Two measures: the population stability index of one number at a time, which people in operations know how to read (below
0.1 nothing, above 0.25 look), and the maximum mean discrepancy of vectors, which sees changes that no single number
shows (Gretton, Borgwardt, Rasch, Schölkopf and Smola, JMLR 2012).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Bins of a reference, each holding the same share of it.
BINS = 10
#: No bin counts for less, so that an empty one does not make the index infinite.
LEAST_SHARE = 1e-4
#: Vectors that a discrepancy is reckoned over, at most, from each side.
MOST_VECTORS = 300
PERMUTATIONS = 200

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Histogram:
    """Shares of a reference's values between inner edges (one fewer than shares)."""

    edges: tuple[float, ...]
    shares: tuple[float, ...]

    @classmethod
    def of(cls, values: Floats, bins: int = BINS) -> "Histogram":
        """Bins of equal content of values [n]; fewer where values repeat."""
        # Edges that are values themselves: one between two of them would make a bin that nothing can be in.
        edges = np.unique(np.quantile(values, np.linspace(0, 1, bins + 1)[1:-1], method="inverted_cdf"))
        return cls(tuple(map(float, edges)), tuple(map(float, _shares(values, edges))))

    def psi(self, values: Floats) -> float:
        """Population stability index Σ (a - e) · ln(a / e) of other values [n] against this."""
        now = np.maximum(_shares(values, np.asarray(self.edges)), LEAST_SHARE)
        then = np.maximum(self.shares, LEAST_SHARE)
        return float(((now - then) * np.log(now / then)).sum())


def _shares(values: Floats, edges: Floats) -> Floats:
    counts = np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1)
    result: Floats = counts / max(1, len(values))
    return result


def mmd2(left: Floats, right: Floats) -> float:
    """Unbiased squared maximum mean discrepancy of [n, d] and [m, d], Gaussian kernel with the median distance."""
    kernel = _kernel(np.concatenate([left, right]))
    return _mmd2(kernel, np.arange(len(left) + len(right)) < len(left))


def mmd_test(left: Floats, right: Floats, *, seed: int = 0) -> tuple[float, float]:
    """(`mmd2`, p): the share of random divisions of both together that differ as much."""
    rng = np.random.default_rng(seed)
    left, right = _sample(left, rng), _sample(right, rng)
    kernel = _kernel(np.concatenate([left, right]))
    whose = np.arange(len(left) + len(right)) < len(left)
    found = _mmd2(kernel, whose)
    as_large = sum(_mmd2(kernel, rng.permutation(whose)) >= found for _ in range(PERMUTATIONS))
    return found, (as_large + 1) / (PERMUTATIONS + 1)


def _sample(values: Floats, rng: np.random.Generator) -> Floats:
    if len(values) <= MOST_VECTORS:
        return values
    return values[np.sort(rng.choice(len(values), MOST_VECTORS, replace=False))]


def _kernel(values: Floats) -> Floats:
    squares = np.square(values).sum(axis=1)
    distances = np.maximum(squares[:, None] + squares[None] - 2 * values @ values.T, 0.0)
    apart = distances[np.triu_indices(len(values), 1)]
    kernel: Floats = np.exp(-distances / max(float(np.median(apart)), 1e-12))
    return kernel


def _mmd2(kernel: Floats, whose: NDArray[np.bool_]) -> float:
    n, m = int(whose.sum()), int((~whose).sum())
    own, other, across = kernel[np.ix_(whose, whose)], kernel[np.ix_(~whose, ~whose)], kernel[np.ix_(whose, ~whose)]
    within = (own.sum() - np.trace(own)) / (n * (n - 1)) + (other.sum() - np.trace(other)) / (m * (m - 1))
    return float(within - 2 * across.mean())


@dataclass(frozen=True, slots=True)
class Reference:
    """What output looked like when all was well: a histogram of each measure, samples of vectors."""

    histograms: Mapping[str, Histogram]
    #: Probabilities [n, classes], and voice embeddings [n, 256] (None where there are too few).
    probabilities: Floats
    voices: Floats | None

    @classmethod
    def of(cls, measures: Mapping[str, Floats], probabilities: Floats, voices: Floats | None) -> "Reference":
        """From measures by name, each [n], probabilities [n, classes] and voices [k, 256]."""
        rng = np.random.default_rng(0)
        return cls(
            {name: Histogram.of(values) for name, values in measures.items() if len(values)},
            _sample(probabilities, rng),
            _sample(voices, rng) if voices is not None and len(voices) >= 2 else None,
        )

    def to_json(self) -> dict[str, Any]:
        """As JSON holds it; four decimals are more than the samples are worth."""
        return {
            "histograms": {name: [list(h.edges), list(h.shares)] for name, h in self.histograms.items()},
            "probabilities": _rounded(self.probabilities),
            "voices": None if self.voices is None else _rounded(self.voices),
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Reference":
        """The reverse of `to_json`."""
        return cls(
            {name: Histogram(tuple(edges), tuple(shares)) for name, (edges, shares) in stored["histograms"].items()},
            np.asarray(stored["probabilities"], dtype=np.float64),
            None if stored["voices"] is None else np.asarray(stored["voices"], dtype=np.float64),
        )


@dataclass(frozen=True, slots=True)
class Drift:
    """How far recent output is from a reference. `psi` is the largest of `psi_of`; MMDs with the p of their tests."""

    psi_of: dict[str, float]
    mmd: tuple[float, float] | None
    mmd_voices: tuple[float, float] | None

    @property
    def psi(self) -> float:
        """The largest index."""
        return max(self.psi_of.values(), default=0.0)


def drift(reference: Reference, measures: Mapping[str, Floats], probabilities: Floats, voices: Floats | None) -> Drift:
    """Recent measures, probabilities and voices, as `Reference.of` takes them, against a reference."""
    psi_of = {name: h.psi(measures[name]) for name, h in reference.histograms.items() if len(measures.get(name, ()))}
    enough = voices is not None and len(voices) >= 2 and reference.voices is not None
    return Drift(
        psi_of,
        mmd_test(reference.probabilities, probabilities) if min(len(reference.probabilities), len(probabilities)) > 1
        else None,
        mmd_test(reference.voices, voices) if enough and reference.voices is not None and voices is not None else None,
    )  # fmt: skip


def _rounded(values: Floats) -> list[list[float]]:
    return [[round(float(value), 4) for value in row] for row in values]


def measures_of(probabilities: Floats, names: Sequence[str], seconds: Floats) -> dict[str, Floats]:
    """The numbers that are watched: each class's probability [n], the highest one, and how long utterances are."""
    known = [place for place in range(probabilities.shape[1]) if not np.isnan(probabilities[:, place]).all()]
    found = {f"p_{names[place]}": probabilities[:, place] for place in known}
    return found | {"confidence": np.nanmax(probabilities, axis=1), "seconds": seconds}
