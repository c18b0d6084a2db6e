"""A conversation over time in the terminal: a line per speaker, a block per bin, the letter of its emotion."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.text import Text

from ops.drawing.palette import PALETTE, colour, letter
from ops.drawing.table import legend

#: Blocks are never wider than this, and bins share a block when the line would be longer than the terminal.
WIDEST_BLOCK = 8


def timeline(rows: Sequence[Mapping[str, Any]], width: int = 80) -> Text:
    """Draw `emotion_timeline` rows of one recording in `width` columns; works without colour."""
    speakers = list(
        dict.fromkeys(str(row["speaker"]) for row in sorted(rows, key=lambda r: (r["bin_start_s"], r["speaker"])))
    )
    if not speakers:
        return Text("no utterances")
    margin = min(20, max(len(name) for name in speakers)) + 2
    bin_s = float(rows[0]["bin_end_s"]) - float(rows[0]["bin_start_s"])
    bins = round(max(float(row["bin_end_s"]) for row in rows) / bin_s)
    room = max(10, width - margin)
    per_block = -(-bins // room)
    blocks = -(-bins // per_block)
    block = max(1, min(WIDEST_BLOCK, room // blocks))
    drawn = Text()
    for speaker in speakers:
        drawn.append(f"{speaker[: margin - 2]:>{margin - 2}}  ")
        for index in range(blocks):
            first, last = index * per_block * bin_s, (index + 1) * per_block * bin_s
            own = [row for row in rows if row["speaker"] == speaker and first <= float(row["bin_start_s"]) < last]
            strongest = _strongest(own)
            if strongest is None:
                drawn.append("·" + " " * (block - 1), style="dim")
            else:
                drawn.append(letter(strongest).center(block), style=f"{colour(strongest)} reverse")
        drawn.append("\n")
    drawn.append(" " * margin + _axis(blocks, block, per_block * bin_s) + "\n", style="dim")
    drawn.append_text(legend())
    return drawn


def _strongest(rows: Sequence[Mapping[str, Any]]) -> str | None:
    """The emotion with the highest mean over some bins, weighted by seconds of speech."""
    weights = {
        emotion: sum(float(row["speech_s"]) * float(row[f"p_{emotion}"] or 0.0) for row in rows) for emotion in PALETTE
    }
    best = max(weights, key=lambda emotion: weights[emotion])
    return best if weights[best] > 0 else None


def _axis(blocks: int, block: int, block_s: float) -> str:
    line = ""
    for index in range(blocks):
        minutes, seconds = divmod(round(index * block_s), 60)
        mark = f"{minutes}:{seconds:02}"
        if len(line) <= index * block and index * block + len(mark) <= blocks * block:
            line = line.ljust(index * block) + mark + " "
    return line.rstrip()
