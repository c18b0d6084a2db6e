"""A conversation over time as a picture: stacked mean probabilities per speaker."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ops.drawing.palette import PALETTE, colour


def save_picture(rows: Sequence[Mapping[str, Any]], title: str, path: Path) -> None:
    """Draw `emotion_timeline` rows of one recording into a PNG; needs no display."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    speakers = list(
        dict.fromkeys(str(row["speaker"]) for row in sorted(rows, key=lambda r: (r["bin_start_s"], r["speaker"])))
    )
    figure = Figure(figsize=(10, 1.4 + 1.9 * max(1, len(speakers))), dpi=130, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(max(1, len(speakers)), 1, sharex=True, squeeze=False)[:, 0]
    end = max((float(row["bin_end_s"]) for row in rows), default=1.0)
    for axis, speaker in zip(axes, speakers, strict=False):
        own = [row for row in rows if row["speaker"] == speaker]
        starts = [float(row["bin_start_s"]) for row in own]
        widths = [float(row["bin_end_s"]) - float(row["bin_start_s"]) for row in own]
        base = [0.0] * len(own)
        for emotion in PALETTE:
            heights = [float(row[f"p_{emotion}"] or 0.0) for row in own]
            axis.bar(
                starts, heights, widths, bottom=base, align="edge", color=colour(emotion), label=emotion, linewidth=0
            )
            base = [a + b for a, b in zip(base, heights, strict=True)]
        axis.set_ylim(0, 1)
        axis.set_yticks([0, 0.5, 1])
        axis.set_title(speaker, loc="left", fontsize=10)
        for side in ("top", "right"):
            axis.spines[side].set_visible(False)
    axes[-1].set_xlim(0, end)
    axes[-1].set_xlabel("seconds")
    figure.suptitle(title, fontsize=12, x=0.02, ha="left")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(PALETTE), frameon=False, fontsize=9)
    figure.savefig(path)
