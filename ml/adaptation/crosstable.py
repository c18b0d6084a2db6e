"""The table of a cross-corpus run: balanced accuracy with intervals over speakers, and what each method changed."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ml.corpora.manifest import Manifest
from ml.training.metrics import Interval

Direction = tuple[str, str, Manifest, Manifest, list[dict[str, Any]]]
RESAMPLES = 2000


class Steps(Protocol):
    """What is said of the budget."""

    @property
    def source_steps(self) -> int:
        """Steps of the model of the source."""

    @property
    def steps(self) -> int:
        """Steps of every method."""

    @property
    def batch(self) -> int:
        """Utterances in a batch."""


def gain(
    labels: NDArray[np.int64], one: NDArray[np.int64], other: NDArray[np.int64], speakers: Sequence[str], classes: int
) -> tuple[Interval, Interval]:
    """Balanced accuracy of `other`, and by how much it is above that of `one`, on the same speakers drawn again."""
    names, owners = np.unique(np.asarray(speakers), return_inverse=True)
    counts = np.zeros((2, len(names), classes, classes))
    for which, predicted in enumerate((one, other)):
        np.add.at(counts[which], (owners, labels, predicted), 1)
    drawn = np.random.default_rng(0).multinomial(len(names), np.full(len(names), 1 / len(names)), RESAMPLES)
    before, after = (_balanced(np.tensordot(drawn.astype(float), own, axes=1)) for own in counts)
    was, now = (float(_balanced(own.sum(axis=0)[None])[0]) for own in counts)
    return _interval(now, after), _interval(now - was, after - before)


def markdown(directions: Sequence[Direction], classes: Sequence[str], budget: Steps) -> str:
    """A table for each direction, after a line on what was done."""
    lines = [
        f"Classes: {', '.join(classes)} (chance {1 / len(classes):.3f}). Source models: {budget.source_steps} steps;"
        f" methods: {budget.steps} steps more; batches of {budget.batch}. Intervals: 95 %, speakers drawn 2000 times.",
    ]
    for source, target, of_source, of_target, rows in directions:
        speakers = sorted({item.speaker for item in of_target.items})
        lines += [
            "",
            f"### {source} → {target}",
            "",
            f"Tested on {len(of_target.items)} utterances of {len(speakers)} speakers of {target}; forgetting on"
            f" {len(of_source.items)} of {len({i.speaker for i in of_source.items})} speakers of {source}.",
            "",
            f"| given | method | balanced accuracy on {target} | gain over source only | on {source} |",
            "|---|---|---:|---:|---:|",
        ]
        first = rows[0]
        for row in rows:
            lines.append(_line(row, first, of_source, of_target, len(classes), classes))
    return "\n".join(lines) + "\n"


def _line(
    row: dict[str, Any],
    first: dict[str, Any],
    of_source: Manifest,
    of_target: Manifest,
    count: int,
    classes: Sequence[str],
) -> str:
    if "refused" in row:
        return f"| {row['setting']} | {row['name']} | refused: {row['refused']} | | |"
    now, more = _figures(row["target"], first["target"], of_target, count, classes)
    kept, _ = _figures(row["source"], first["source"], of_source, count, classes)
    change = "" if row is first else f"{more.value:+.3f} [{more.low:+.3f}, {more.high:+.3f}]"
    return (
        f"| {row['setting']} | {row['name']} | {now.value:.3f} [{now.low:.3f}, {now.high:.3f}] | {change} |"
        f" {kept.value:.3f} |"
    )


def _figures(
    said: list[int], first: list[int], held: Manifest, count: int, classes: Sequence[str]
) -> tuple[Interval, Interval]:
    labels = np.array([list(classes).index(item.label or "") for item in held.items])
    speakers = [item.speaker for item in held.items]
    return gain(labels, np.asarray(first), np.asarray(said), speakers, count)


def _balanced(matrices: NDArray[np.float64]) -> NDArray[np.float64]:
    """Balanced accuracy of each of [R, true, predicted]; classes that were not drawn do not count."""
    totals = matrices.sum(axis=2)
    recalls = np.diagonal(matrices, axis1=1, axis2=2) / np.where(totals > 0, totals, 1)
    return np.asarray(recalls.sum(axis=1) / (totals > 0).sum(axis=1))


def _interval(value: float, drawn: NDArray[np.float64]) -> Interval:
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Interval(value, float(low), float(high))
