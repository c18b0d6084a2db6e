"""A time axis broken into lines, like text."""

from collections.abc import Sequence
from dataclasses import dataclass

from ops.drawing.alignment_tables import clock_ms

#: Lengths of lines in seconds: the shortest is taken that gives at most so many lines.
LINES_S, MOST_LINES = (15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0), 10
#: Steps of an axis in seconds.
TICKS_S = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)
#: More marks than this on a line run into each other.
MOST_TICKS = 15


@dataclass(frozen=True, slots=True)
class Line:
    """One line: `full_s` long as all of them are, with something on it from `start_s` to `end_s`."""

    start_s: float
    end_s: float
    full_s: float

    def hears(self, start_s: float, end_s: float) -> bool:
        """Whether a stretch of time reaches into the line."""
        return start_s < self.end_s and end_s > self.start_s


def broken(start_s: float, end_s: float, *, whole_s: float) -> list[Line]:
    """Lines of equal length over a stretch of time; one of at most `whole_s` is left in one piece."""
    length = max(end_s - start_s, 0.1)
    full = length
    if length > whole_s:
        full = next((s for s in LINES_S if length <= MOST_LINES * s), length / MOST_LINES)
    return cut(start_s, start_s + length, full)


def cut(start_s: float, end_s: float, full_s: float) -> list[Line]:
    """Lines of a given length over a stretch of time; at least one."""
    length, full = end_s - start_s, full_s
    count = max(1, int(-(-(length - 1e-6) // full)))
    return [Line(start_s + i * full, min(start_s + (i + 1) * full, start_s + length), full) for i in range(count)]


def ticks(line: Line) -> list[float]:
    """Times of a line's marks, in even steps."""
    step = next((s for s in TICKS_S if line.full_s <= MOST_TICKS * s), line.full_s)
    first = int(-(-(line.start_s - 1e-6) // step))
    return [i * step for i in range(first, int((line.end_s + 1e-6) // step) + 1)]


def marks(times: Sequence[float]) -> list[str]:
    """Times with as few decimals as tell them apart."""
    for decimals in (0, 1, 2):
        if all(abs(t - round(t, decimals)) < 1e-6 for t in times):
            return [clock_ms(t)[: -4 + decimals + bool(decimals)] for t in times]
    return [clock_ms(t) for t in times]
