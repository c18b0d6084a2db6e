"""Whether new labels deserve to be learned from.

A gate that measures on bad labels measures badly: flipped labels sit in the hold-out as well as in the training set. So
labels are looked at before anything is trained: a linear probe over the champion's frames, cross-validated over
speakers, says what it would have expected, and of the labels that it is surest of one counts how many are contradicted.
Hard speech makes a probe unsure; wrong labels make it wrong where it is sure. (Confident learning, Northcutt, Jiang and
Chuang, JAIR 2021, in its simplest form: a ranking by confidence instead of a threshold per class.)
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FOLDS = 5
#: The part of the labels that the probe is surest of.
SUREST = 0.25
#: Fewer labels are not judged.
MIN_ITEMS = 30
#: Strength of the probe's regularisation (inverse, as scikit-learn has it): few utterances, many features.
STRENGTH = 0.03

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class LabelRule:
    """Which labels are refused."""

    #: Where no labels are trusted yet: the share of the surest ones that may be contradicted.
    limit: float = 0.27
    #: Where some are: by how much it may exceed theirs, and by how many standard errors.
    beyond_trusted: float = 0.12
    errors: float = 2.0


@dataclass(frozen=True, slots=True)
class LabelCheck:
    """What was found. Shares are of the surest quarter; None: too few to say."""

    items: int
    contradicted: float | None
    trusted_items: int
    trusted_contradicted: float | None
    suspicious: bool

    @property
    def sentence(self) -> str:
        """For a report."""
        if self.contradicted is None:
            return f"{self.items} new labels are too few to check"
        beside = (
            f"; of {self.trusted_items} trusted ones {self.trusted_contradicted:.0%}"
            if self.trusted_contradicted is not None
            else ""
        )
        return (
            f"of the quarter of {self.items} new labels that can be told best, {self.contradicted:.0%} are contradicted"
            f" by what the other speakers sound like{beside}"
        )


def check_labels(
    features: Floats,
    labels: Labels,
    speakers: Sequence[str],
    new: NDArray[np.bool_],
    *,
    rule: LabelRule | None = None,
    seed: int = 0,
) -> LabelCheck:
    """Judge the labels [N] where `new` [N] holds, over features [N, D] of their utterances.

    Trusted labels teach the probe too, and show what is usual for speech as hard as this.
    """
    rule = rule or LabelRule()
    items, trusted = int(new.sum()), int((~new).sum())
    expected = predicted(features, labels, speakers, seed=seed)
    if expected is None or items < MIN_ITEMS:
        return LabelCheck(items, None, trusted, None, False)
    contradicted = _contradicted(expected[new], labels[new])
    usual = _contradicted(expected[~new], labels[~new]) if trusted >= MIN_ITEMS else None
    if usual is None:
        return LabelCheck(items, contradicted, trusted, None, contradicted > rule.limit)
    beyond = contradicted - usual
    either = (contradicted * items + usual * trusted) / (items + trusted)
    error = math.sqrt(either * (1 - either) * (1 / items + 1 / trusted) / SUREST)
    return LabelCheck(items, contradicted, trusted, usual, beyond > max(rule.beyond_trusted, rule.errors * error))


def predicted(features: Floats, labels: Labels, speakers: Sequence[str], *, seed: int) -> Floats | None:
    """Probabilities [N, 7] of every utterance by a probe that has not heard its speaker; None with too few of them."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold

    people = len(set(speakers))
    if people < 2 or len(np.unique(labels)) < 2:
        return None
    values = of_speaker(features, speakers)
    result = np.zeros((len(labels), int(labels.max()) + 1))
    folds = StratifiedGroupKFold(min(FOLDS, people), shuffle=True, random_state=seed)
    for train, test in folds.split(values, labels, list(speakers)):
        if len(np.unique(labels[train])) < 2:
            return None
        probe = LogisticRegression(C=STRENGTH, max_iter=500, class_weight="balanced").fit(values[train], labels[train])
        result[np.ix_(test, probe.classes_)] = probe.predict_proba(values[test])
    return result


def of_speaker(features: Floats, speakers: Sequence[str]) -> Floats:
    """Features [N, D] as deviations from what is usual for their speaker, on one scale."""
    names, owners = np.unique(np.asarray(speakers), return_inverse=True)
    counts = np.bincount(owners, minlength=len(names))[:, None]
    means = np.zeros((len(names), features.shape[1]))
    np.add.at(means, owners, features)
    relative = features - (means / counts)[owners]
    scaled: Floats = relative / (relative.std(axis=0) + 1e-6)
    return scaled


def _contradicted(expected: Floats, labels: Labels) -> float:
    """Share of wrong guesses among the quarter that the probe is surest of."""
    sure = np.argsort(-expected.max(axis=1), kind="stable")[: max(1, round(SUREST * len(labels)))]
    return float((expected[sure].argmax(axis=1) != labels[sure]).mean())
