"""All comparisons of a run, from what both versions say of its utterances, and the decision they lead to."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.corpora.types import LabelledUtterance
from ml.emotions import EMOTIONS
from ml.gate.comparing import Comparison, Pair, compare
from ml.gate.deciding import Decision, Rule, decide
from ml.gate.measuring import Measured
from ml.training.metrics import confusion, expected_calibration_error, reliability

#: A group is looked at from so many utterances of so many people on.
GROUP_ITEMS, GROUP_SPEAKERS = 30, 2
#: What utterances are grouped by, where a label or the recording says it.
GROUPS = ("gender", "language", "style", "band", "channel")
#: A language that nobody knows makes no group of its own.
UNKNOWN = (None, "und")
NEW = "new people"


@dataclass(frozen=True, slots=True)
class TestSet:
    """Labelled utterances that both versions are measured on; `rows` are their places among what was measured."""

    #: Not a test of pytest's, whatever its name begins with.
    __test__ = False

    name: str
    items: Sequence[LabelledUtterance]
    rows: NDArray[np.int64]

    @property
    def labels(self) -> NDArray[np.int64]:
        """Class numbers [N]."""
        return np.asarray([item.class_no for item in self.items], dtype=np.int64)

    def pair(self, champion: Measured, challenger: Measured) -> Pair:
        """Both versions' fused answers."""
        return self._pair(self.name, champion.fused, challenger.fused)

    def sides(self, champion: Measured, challenger: Measured) -> list[Pair]:
        """Both versions' answers by voice alone and by words alone, where both have some."""
        found = []
        for name, ours, theirs in (
            ("by voice", champion.speech, challenger.speech),
            ("by words", champion.text, challenger.text),
        ):
            pair = self._pair(name, ours, theirs)
            both = (pair.champion >= 0) & (pair.challenger >= 0)
            people = {item.speaker for item, known in zip(self.items, both, strict=True) if known}
            if both.sum() >= GROUP_ITEMS and len(people) >= GROUP_SPEAKERS:
                found.append(pair.only(both, name))
        return found

    def _pair(self, name: str, champion: NDArray[np.float64], challenger: NDArray[np.float64]) -> Pair:
        speakers = [item.speaker for item in self.items]
        return Pair.of_scores(name, self.labels, speakers, champion[self.rows], challenger[self.rows])


@dataclass(frozen=True, slots=True)
class Judgement:
    """Everything that a run found about its challenger."""

    new: Comparison
    earlier: list[Comparison]
    groups: list[Comparison]
    #: On the new people by voice alone, and by words alone.
    sides: list[Comparison]
    decision: Decision
    #: Per version: calibration error and reliability on the new people, confusion matrix, gaps between groups.
    versions: dict[str, dict[str, Any]]

    def to_json(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {
            "new": asdict(self.new),
            "earlier": [asdict(one) for one in self.earlier],
            "groups": [asdict(one) for one in self.groups],
            "sides": [asdict(one) for one in self.sides],
            "decision": self.decision.to_json(),
            "versions": self.versions,
            "classes": list(EMOTIONS),
        }


def judge(
    new: TestSet, earlier: Sequence[TestSet], champion: Measured, challenger: Measured, rule: Rule | None = None
) -> Judgement:
    """Compare on new people, in their groups, by voice and by words alone, and on earlier sets, and decide."""
    pair = new.pair(champion, challenger)
    whole = compare(pair)
    before = [compare(one.pair(champion, challenger)) for one in earlier if len(one.items)]
    groups = [compare(pair.only(mask, name)) for name, mask in _groups(new.items)]
    sides = [compare(one) for one in new.sides(champion, challenger)]
    return Judgement(
        whole,
        before,
        groups,
        sides,
        decide(whole, before, groups, rule, sides=sides),
        {
            "champion": _facts(new, champion, [one.champion for one in groups]),
            "challenger": _facts(new, challenger, [one.challenger for one in groups]),
        },
    )


def _groups(items: Sequence[LabelledUtterance]) -> list[tuple[str, NDArray[np.bool_]]]:
    """Groups that are large enough, of utterances and people; where all are in one, it is no group."""
    found = []
    for kind in GROUPS:
        values = [getattr(item, kind) for item in items]
        for value in sorted(set(values).difference(UNKNOWN)):
            mask = np.asarray([one == value for one in values])
            people = {item.speaker for item, inside in zip(items, mask, strict=True) if inside}
            if not mask.all() and mask.sum() >= GROUP_ITEMS and len(people) >= GROUP_SPEAKERS:
                found.append((f"{kind} {value}", mask))
    return found


def _facts(new: TestSet, measured: Measured, groups: Sequence[float]) -> dict[str, Any]:
    scores, labels = measured.fused[new.rows], new.labels
    known = ~np.isnan(scores).all(axis=1)
    filled, truth = np.nan_to_num(scores[known]), labels[known]
    if not len(truth):
        return {"calibration_error": None, "reliability": [], "confusion": [], "group_gap": None}
    return {
        "calibration_error": expected_calibration_error(filled, truth),
        "reliability": [asdict(part) for part in reliability(filled, truth)],
        "confusion": confusion(truth, filled.argmax(axis=1), len(EMOTIONS)).tolist(),
        "group_gap": max(groups) - min(groups) if len(groups) > 1 else None,
    }
