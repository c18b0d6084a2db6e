"""Pictures of a report: confusion matrices, reliability, learning curves. Need no display."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

#: Okabe and Ito's colours, which stay apart for colour-blind readers.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#999999")
DPI = 120
#: Models side by side in one picture.
MOST = 4


def figure_of(columns: int, width: float, height: float) -> tuple[Any, list[Any]]:
    """A figure and its axes side by side; sizes in inches, the width that of one."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width * columns, height), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, list(figure.subplots(1, columns, squeeze=False)[0])


def save_confusion(rows: Sequence[Mapping[str, Any]], classes: Sequence[str], path: Path) -> None:
    """Rows of the report that have been tested, as matrices: shares of each true class, counts in the cells."""
    shown = [row for row in rows if row["n"]][:MOST]
    figure, axes = figure_of(len(shown), 0.55 * len(classes) + 1.6, 0.55 * len(classes) + 2.2)
    for axis, row in zip(axes, shown, strict=True):
        counts = np.asarray(row["confusion"])
        shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
        axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for (true, predicted), count in np.ndenumerate(counts):
            dark = shares[true, predicted] > 0.5
            axis.text(predicted, true, str(count), ha="center", va="center", fontsize=8, color="w" if dark else "k")
        axis.set_xticks(range(len(classes)), classes, rotation=45, ha="right", fontsize=8)
        axis.set_yticks(range(len(classes)), classes, fontsize=8)
        axis.set_xlabel("predicted", fontsize=8)
        axis.set_ylabel("true", fontsize=8)
        axis.set_title(row["name"], fontsize=9)
    figure.savefig(path)


def save_reliability(row: Mapping[str, Any], path: Path) -> None:
    """How often a model is right against how sure it is, before and after temperature scaling."""
    figure, axes = figure_of(2, 3.4, 3.6)
    for axis, when in zip(axes, ("before", "after"), strict=True):
        bins = row[f"reliability_{when}"]
        axis.plot([0, 1], [0, 1], color="#999999", lw=1)
        most = max((part["count"] for part in bins), default=1)
        axis.scatter(
            [part["confidence"] for part in bins],
            [part["accuracy"] for part in bins],
            [12 + 120 * part["count"] / most for part in bins],
            color=COLOURS[0],
        )
        error = row[f"ece_{when}"]
        axis.set_title(f"{when}: ECE {error:.3f}" if error is not None else f"{when}: not fitted", fontsize=9)
        axis.set_xlim(0, 1)
        axis.set_ylim(0, 1)
        axis.set_xlabel("confidence", fontsize=8)
        axis.set_ylabel("accuracy", fontsize=8)
    figure.suptitle(f"{row['name']} (dots grow with the number of items)", fontsize=9)
    figure.savefig(path)


def save_curves(curves: Mapping[str, Sequence[Mapping[str, Any]]], path: Path) -> None:
    """Training loss and development score over steps; one line per fold, one colour per model, a dot where it ended."""
    figure, (losses, scores) = figure_of(2, 4.6, 3.6)
    for number, (name, folds) in enumerate(curves.items()):
        colour = COLOURS[number % len(COLOURS)]
        for fold, history in enumerate(folds):
            rows = history["rows"]
            steps = [row["step"] for row in rows]
            label = name if not fold else None
            losses.plot(steps, [row["losses"]["total"] for row in rows], color=colour, lw=0.9, label=label)
            found = [(row["step"], row["development"]["score"]) for row in rows if row["development"]]
            if found:
                scores.plot(*zip(*found, strict=True), color=colour, lw=0.9, label=label)
                best = dict(found).get(history["best_step"])
                if best is not None:
                    scores.plot([history["best_step"]], [best], "o", color=colour, ms=4)
    for axis, title in ((losses, "training loss"), (scores, "balanced accuracy, development")):
        axis.set_title(title, fontsize=9)
        axis.set_xlabel("step", fontsize=8)
        if axis.get_legend_handles_labels()[0]:
            axis.legend(fontsize=7)
    figure.savefig(path)
