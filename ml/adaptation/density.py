"""Instance weighting: source utterances count as much as the target would have them.

Han, Zhao, Wang 2019, section II (instance transfer). The weight is the ratio of densities p_target(x) / p_source(x),
estimated by a domain classifier (Bickel, Brückner, Scheffer, ICML 2007) or by KLIEP (Sugiyama et al., NeurIPS 2007).
Ratios are clipped to [0.1, 10]; below a fifth of effective sample size ((Σw)² / Σw², Kong 1992) the result would rest
on a few utterances, and the method refuses.
"""

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from sklearn.linear_model import LogisticRegression

from ml.adaptation.errors import SupportTooSmall
from ml.adaptation.material import SOURCE, TARGET, UNLABELLED
from ml.adaptation.method import Method, Work, needed, setting

Floats = NDArray[np.float64]
LOWEST, HIGHEST = 0.1, 10.0
LEAST_EFFECTIVE = 0.2
#: Utterances of each side that a ratio is estimated from.
LEAST = 20
#: Kernels of KLIEP, at most.
CENTRES = 100
#: Against division by nothing; and shares that move by less than this, together, are found.
TINY, SETTLED = 1e-12, 1e-7
#: Kernel widths that likelihood chooses between, as multiples of the median distance.
WIDTHS = (0.25, 0.5, 1.0, 2.0)


def effective_share(weights: Floats) -> float:
    """Effective sample size as a share of the sample, in (0, 1]."""
    return float(weights.sum() ** 2 / (weights**2).sum() / len(weights))


def logistic_ratio(source: Floats, target: Floats, *, c: float = 0.1) -> Floats:
    """Density ratios [n] at source points [n, D], from the odds of a logistic classifier between both samples."""
    values, domain = np.concatenate([source, target]), np.repeat([0, 1], [len(source), len(target)])
    model = LogisticRegression(C=c, max_iter=2000).fit(values, domain)
    odds = np.exp(model.decision_function(source))
    return np.asarray(odds * len(source) / len(target), dtype=np.float64)


def kliep_ratio(source: Floats, target: Floats, width: float, *, seed: int = 0, steps: int = 400) -> Floats:
    """Density ratios [n] at source points [n, D] by Gaussian kernels of deviation `width` on target points."""
    return _Kliep(source, target, width, seed, steps).at(source)


def chosen_width(source: Floats, target: Floats, *, folds: int = 5, seed: int = 0) -> float:
    """The kernel width with the highest cross-validated mean log ratio at target points it was not fitted to."""
    rng = np.random.default_rng(seed)
    some = target[rng.permutation(len(target))]
    median = float(np.median(cdist(some[:300], some[:300])[~np.eye(min(300, len(some)), dtype=bool)]))
    parts = np.array_split(np.arange(len(some)), folds)

    def likelihood(width: float) -> float:
        found = []
        for held in parts:
            rest = np.delete(some, held, axis=0)
            fitted = _Kliep(source, rest, width, seed, 200)
            found.append(np.log(np.maximum(fitted.at(some[held]), TINY)).mean())
        return float(np.mean(found))

    return max((factor * median for factor in WIDTHS), key=likelihood)


class _Kliep:
    """Ratio Σ αₗ k(x, cₗ) with the highest mean log at target points, α ≥ 0 and mean 1 at source points."""

    def __init__(self, source: Floats, target: Floats, width: float, seed: int, steps: int) -> None:
        rng = np.random.default_rng(seed)
        self._width = width
        self._centres = target[np.sort(rng.permutation(len(target))[:CENTRES])]
        mean = self._kernels(source).mean(axis=0)
        # With β = α·mean the ratio is a mixture of densities, β its proportions: what is sought are those that make the
        # target likeliest, and expectation maximisation finds them without a step size, within the constraints.
        densities = self._kernels(target) / (mean + TINY)
        shares = np.full(len(self._centres), 1 / len(self._centres))
        for _ in range(steps):
            found = shares * (densities / (densities @ shares + TINY)[:, None]).mean(axis=0)
            if np.abs(found - shares).sum() < SETTLED:
                break
            shares = found / found.sum()
        self._alpha = shares / (mean + TINY)

    def at(self, points: Floats) -> Floats:
        """Ratios [n] at points [n, D]."""
        return np.asarray(self._kernels(points) @ self._alpha)

    def _kernels(self, points: Floats) -> Floats:
        return np.asarray(np.exp(-cdist(points, self._centres, "sqeuclidean") / (2 * self._width**2)))


class _Weighting(Method, ABC):
    def __init__(self, work: Work) -> None:
        super().__init__(work)
        material = work.material
        numbers = needed(material.training(SOURCE), LEAST, "labelled source utterances", self.name)
        heard = needed(material.domain(TARGET, UNLABELLED), LEAST, "target utterances", self.name)
        ours, theirs = (work.embeddings(own).astype(np.float64) for own in (numbers, heard))
        both = np.concatenate([ours, theirs])
        mean, deviation = both.mean(axis=0), both.std(axis=0) + 1e-6
        weights = np.clip(self.ratio((ours - mean) / deviation, (theirs - mean) / deviation), LOWEST, HIGHEST)
        share = effective_share(weights)
        work.notes[self.name] = {
            "effective_sample_size": share * len(weights),
            "share": share,
            "clipped": float(np.isin(weights, (LOWEST, HIGHEST)).mean()),
        }
        if share < LEAST_EFFECTIVE:
            raise SupportTooSmall(
                f"weights by {self.name} leave {share:.0%} of {len(weights)} source utterances, fewer than"
                f" {LEAST_EFFECTIVE:.0%}"
            )
        material.weights[numbers] *= weights / weights.mean()

    @abstractmethod
    def ratio(self, source: Floats, target: Floats) -> Floats:
        """Density ratios at source points."""


class DensityRatio(_Weighting):
    """Weights by a logistic classifier between the corpora."""

    name = "density-ratio"

    def __init__(self, work: Work, *, c: float = 0.1) -> None:
        setting(c > 0, "c of density-ratio has to be positive")
        self._c = c
        super().__init__(work)

    def ratio(self, source: Floats, target: Floats) -> Floats:
        """See the class."""
        return logistic_ratio(source, target, c=self._c)


class Kliep(_Weighting):
    """Weights by KLIEP, its kernels' width by likelihood; in the ten directions in which both together vary most."""

    name = "kliep"

    def __init__(self, work: Work, *, directions: int = 10) -> None:
        setting(directions >= 1, "kliep needs at least one direction")
        self._directions, self._seed = directions, work.plan.seed
        super().__init__(work)

    def ratio(self, source: Floats, target: Floats) -> Floats:
        """See the class. Kernels in many dimensions see every point alone."""
        axes = np.linalg.svd(np.concatenate([source, target]), full_matrices=False)[2][: self._directions].T
        ours, theirs = source @ axes, target @ axes
        return kliep_ratio(ours, theirs, chosen_width(ours, theirs, seed=self._seed), seed=self._seed)
