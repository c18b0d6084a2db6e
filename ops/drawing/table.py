"""One line per conversation: how long, who, and what was felt."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from ops.drawing.palette import PALETTE, colour, letter

#: Width of the bar of shares, in characters.
BAR = 20


def shares_bar(row: Mapping[str, Any], width: int = BAR) -> Text:
    """A bar of `width` characters, split by the mean probabilities `p_…` of a row (largest remainders)."""
    values = {emotion: float(row[f"p_{emotion}"] or 0.0) for emotion in PALETTE}
    total = sum(values.values()) or 1.0
    exact = {emotion: width * value / total for emotion, value in values.items()}
    cells = {emotion: int(value) for emotion, value in exact.items()}
    by_rest = sorted(exact, key=lambda emotion: cells[emotion] - exact[emotion])
    for emotion in by_rest[: width - sum(cells.values())]:
        cells[emotion] += 1
    bar = Text()
    for emotion, count in cells.items():
        bar.append(letter(emotion) * count, style=f"{colour(emotion)} reverse")
    return bar


def conversation_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """A table of `conversation_emotions` rows."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("recording", overflow="fold", min_width=20)
    for heading in ("length", "voices", "utterances"):
        table.add_column(heading, justify="right")
    table.add_column("mostly")
    table.add_column("probabilities", no_wrap=True)
    for row in rows:
        minutes, seconds = divmod(round(row["duration_s"]), 60)
        label = row["label"] or "–"
        table.add_row(
            Text(str(row["recording"])),
            f"{minutes}:{seconds:02}",
            str(row["speakers"]),
            str(row["utterances"]),
            Text(label, style=colour(label) if label in PALETTE else ""),
            shares_bar(row),
        )
    return table


def legend() -> Text:
    """What the letters and colours mean, on one line."""
    line = Text()
    for emotion in PALETTE:
        line.append(f" {letter(emotion)} ", style=f"{colour(emotion)} reverse")
        line.append(f" {emotion}  ")
    return line
