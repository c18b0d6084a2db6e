"""How related two tasks are, before anything is trained: the survey's key question (Han, Zhao, Wang 2019, section II).

Three views: how well the corpora can be told apart (proxy A-distance: Ben-David et al., Machine Learning 2010, section
2.1; Ganin et al., JMLR 2016, section 5.1), how far apart they lie (maximum mean discrepancy: Gretton et al., JMLR
2012), and, with target labels, how much the champion's features and answers say about them (H-score: Bao et al., ICIP
2019; LEEP: Nguyen et al., ICML 2020).
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ml.adaptation.material import SOURCE, TARGET, UNLABELLED
from ml.adaptation.method import Work
from ml.adaptation.mmd import discrepancy

Floats = NDArray[np.float32] | NDArray[np.float64]
#: So many utterances of each side are looked at, in so many directions.
MOST, DIRECTIONS = 600, 512


@dataclass(frozen=True, slots=True)
class Relatedness:
    """Figures before training; None where there is not the data for one."""

    #: 0: source and target cannot be told apart, 2: always.
    proxy_a_distance: float | None
    #: Squared maximum mean discrepancy; around 0 (also below) where both are the same.
    mmd: float | None
    #: Mean log of what the champion's answers let one expect of target labels; 0 is perfect, log(1/classes) is nothing.
    leep: float | None
    #: Variance of the features that classes explain, up to classes - 1.
    h_score: float | None
    #: The classes of LEEP and H-score, and of how many utterances.
    classes: int
    labelled: int

    def to_json(self) -> dict[str, Any]:
        """The form that stands in a run's notes."""
        return asdict(self)


def relatedness(work: Work) -> Relatedness:
    """Of the target (labelled or not) to the source, in the champion's codes, on at most 600 utterances each."""
    material, rng = work.material, np.random.default_rng(work.plan.seed)

    def some(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.sort(rng.choice(numbers, size=min(MOST, len(numbers)), replace=False))

    source, target = some(material.domain(SOURCE)), some(material.domain(TARGET, UNLABELLED))
    distance = gap = leep_score = h = None
    if len(source) >= 10 and len(target) >= 10:
        ours, theirs = _seen(work.embeddings(source)), _seen(work.embeddings(target))
        speakers = [material.items[i].speaker for i in (*source, *target)]
        distance, gap = proxy_a_distance(ours, theirs, speakers), discrepancy(ours, theirs)
    labelled = some(material.training(TARGET))
    labels = material.labels[labelled]
    classes = len(np.unique(labels))
    if classes >= 2:
        leep_score = leep(np.exp(work.log_probabilities(labelled)), labels)
        h = h_score(_seen(work.embeddings(labelled)), labels)
    return Relatedness(distance, gap, leep_score, h, classes, len(labelled))


def _seen(embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    """Embeddings in at most so many random directions, which keep distances (Johnson and Lindenstrauss 1984)."""
    width = embeddings.shape[1]
    if width <= DIRECTIONS:
        return embeddings
    axes = np.random.default_rng(0).normal(size=(width, DIRECTIONS)) / DIRECTIONS**0.5
    return np.asarray(embeddings @ axes, dtype=np.float32)


def proxy_a_distance(source: Floats, target: Floats, speakers: list[str]) -> float | None:
    """2 (1 - 2 error) of a linear classifier between source [n, D] and target [m, D], on speakers it did not learn.

    Below 0 is shown as 0. None when either side has one speaker only.
    """
    values, domain = np.concatenate([source, target]), np.repeat([0, 1], [len(source), len(target)])
    own = np.asarray(speakers)
    folds = min(5, len(set(own[domain == 0])), len(set(own[domain == 1])))
    if folds < 2:
        return None
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500, class_weight="balanced"))
    # As a list, since libraries that switch on scikit-learn's metadata routing would refuse the groups.
    parts = list(StratifiedGroupKFold(folds, shuffle=True, random_state=0).split(values, domain, own))
    said = cross_val_predict(model, values, domain, cv=parts)
    error = np.mean([(said[domain == side] != side).mean() for side in (0, 1)])
    return float(max(0.0, 2 * (1 - 2 * error)))


def leep(probabilities: Floats, labels: NDArray[np.int64]) -> float:
    """Log expected empirical prediction of labels [N] from a source model's probabilities [N, classes]."""
    joint = np.stack([probabilities[labels == c].sum(axis=0) for c in np.unique(labels)]) / len(labels)
    given = joint / np.maximum(joint.sum(axis=0), 1e-12)
    expected = probabilities @ given.T
    rows = np.searchsorted(np.unique(labels), labels)
    return float(np.log(np.maximum(expected[np.arange(len(labels)), rows], 1e-12)).mean())


def h_score(features: Floats, labels: NDArray[np.int64], *, ridge: float = 1e-2) -> float:
    """tr(cov(f)⁻¹ cov(E[f|y])) of features [N, D], with a share of the mean variance added to the covariance."""
    centred = features.astype(np.float64) - features.mean(axis=0)
    means = np.zeros_like(centred)
    for c in np.unique(labels):
        means[labels == c] = centred[labels == c].mean(axis=0)
    covariance = centred.T @ centred / len(centred)
    covariance += ridge * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
    return float(np.trace(np.linalg.solve(covariance, means.T @ means / len(means))))
