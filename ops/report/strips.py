"""Where everything stands in a report's pictures: stretches of time with waveform, speakers and probabilities.

Numbers are units of an SVG's `viewBox`; the page's template writes the elements, so that no text is put together here.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ops.drawing.alignment_tables import clock_ms
from ops.drawing.lines import Line, cut, marks, ticks
from ops.drawing.palette import PALETTE, letter
from ops.report.content import SIDES, Content, Probabilities, Said, mean
from ops.report.sound import Peaks

WIDTH, LEFT, RIGHT = 1200.0, 128.0, 24.0
INNER = WIDTH - LEFT - RIGHT
WAVE, BAND, UNDER, STACK, GAP, AXIS = 56.0, 15.0, 2.0, 46.0, 14.0, 22.0
LANE = BAND + UNDER + STACK + GAP
#: A column of the waveform, and how many there are.
COLUMN = 2.0
COLUMNS = int(INNER / COLUMN)
#: Recordings up to the first length are one strip; longer ones have strips of the second.
STRIPS_S = ((90.0, None), (900.0, 60.0), (3600.0, 120.0), (float("inf"), 300.0))
#: Bins of the overview.
BINS = 150
#: Speakers that the overview has room for.
MOST_LANES = 8
#: A band narrower than this has no letter in it.
LETTER_WIDTH = 9.0
#: Neutral stands on top, so that what is not neutral rises from the ground.
STACKED = (*(emotion for emotion in PALETTE if emotion != "neutral"), "neutral")


@dataclass(frozen=True, slots=True)
class Band:
    """An utterance as a stripe in its emotion's colour."""

    said: Said
    x: float
    width: float
    letter: str
    #: Its first strip is what the table leads to.
    first: bool


@dataclass(frozen=True, slots=True)
class Lane:
    """A speaker's share of a strip. `stacks` holds a path per side and emotion."""

    speaker: str
    y: float
    bands: tuple[Band, ...]
    stacks: dict[str, dict[str, str]]

    @property
    def stack_y(self) -> float:
        """Where probabilities begin."""
        return self.y + BAND + UNDER

    @property
    def bottom(self) -> float:
        """Where they end."""
        return self.stack_y + STACK


@dataclass(frozen=True, slots=True)
class Strip:
    """A stretch of time."""

    line: Line
    #: Where the axis is.
    bottom: float
    wave: str
    lanes: tuple[Lane, ...]
    #: Whose row of the table is in this strip.
    rows: tuple[Said, ...]

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """Marks of the axis and where they are."""
        at = ticks(self.line)
        return [(self.x(t), mark) for t, mark in zip(at, marks(at), strict=True)]

    @property
    def width(self) -> float:
        """What of the picture's width is time of the recording."""
        return (self.line.end_s - self.line.start_s) / self.line.full_s * INNER

    def x(self, seconds: float) -> float:
        """Where a time is."""
        return LEFT + (seconds - self.line.start_s) / self.line.full_s * INNER


def strips_of(duration_s: float) -> list[Line]:
    """A recording cut into strips in which single utterances can be seen."""
    full = next(full for longest, full in STRIPS_S if duration_s <= longest)
    return cut(0.0, duration_s, full or max(duration_s, 0.1))


def drawn(content: Content, lines: Sequence[Line], peaks: Peaks | None) -> list[Strip]:
    """Every strip; `peaks` has `COLUMNS` for each of them."""
    loudest = _loudest(peaks)
    strips = []
    for index, line in enumerate(lines):
        last = line is lines[-1]
        heard = [one for one in content.utterances if line.hears(one.start_s, one.end_s)]
        rows = [one for one in content.utterances if line.start_s <= one.start_s and (last or one.start_s < line.end_s)]
        part = None if peaks is None else peaks[:, index * COLUMNS : (index + 1) * COLUMNS]
        speakers = [voice.name for voice in content.voices if any(one.speaker == voice.name for one in heard)]
        strips.append(_strip(line, part, loudest, speakers, heard, tuple(rows)))
    return strips


def overview(content: Content, lines: Sequence[Line], peaks: Peaks | None) -> Strip | None:
    """The whole recording in one strip of means, where it has more than one."""
    if len(lines) < 2:
        return None
    whole = Line(0.0, content.duration_s, content.duration_s)
    pooled = None
    if peaks is not None:
        used = peaks[:, : max(COLUMNS, round(content.duration_s / lines[0].full_s * COLUMNS))]
        edges = [round(column * used.shape[1] / COLUMNS) for column in range(COLUMNS)]
        pooled = np.stack([np.minimum.reduceat(used[0], edges), np.maximum.reduceat(used[1], edges)])
    most = sorted(content.voices, key=lambda voice: -voice.talk_s)[:MOST_LANES]
    speakers = [voice.name for voice in content.voices if voice in most]
    return _strip(whole, pooled, _loudest(peaks), speakers, _binned(content), apart=0.0)


def _binned(content: Content) -> list[Said]:
    """Each speaker's mean over equal stretches of time, as if it were an utterance that fills its stretch."""
    step = content.duration_s / BINS
    bins: dict[tuple[str, int], list[Said]] = {}
    for one in content.utterances:
        for place in range(int(one.start_s / step), min(BINS - 1, int((one.end_s - 1e-6) / step)) + 1):
            bins.setdefault((one.speaker, place), []).append(_part(one, place * step, (place + 1) * step))
    return [
        _between(own[0], place * step, (place + 1) * step, {side: m for side in SIDES if (m := mean(own, side))})
        for (_, place), own in sorted(bins.items(), key=lambda item: item[0][1])
    ]


def _part(one: Said, start_s: float, end_s: float) -> Said:
    return _between(one, max(start_s, one.start_s), min(end_s, one.end_s), one.sides)


def _between(one: Said, start_s: float, end_s: float, sides: dict[str, Probabilities]) -> Said:
    return replace(one, start_s=start_s, end_s=end_s, sides=sides)


def _strip(
    line: Line,
    peaks: Peaks | None,
    loudest: float,
    speakers: Sequence[str],
    heard: Sequence[Said],
    rows: tuple[Said, ...] = (),
    *,
    apart: float = 0.8,
) -> Strip:
    """`apart` is what keeps utterances that follow each other at once from running together."""
    top = GAP / 2 if peaks is None else WAVE + GAP
    lanes = tuple(
        _lane(line, speaker, top + index * LANE, [one for one in heard if one.speaker == speaker], apart)
        for index, speaker in enumerate(speakers)
    )
    bottom = lanes[-1].bottom if lanes else top
    return Strip(line, bottom, "" if peaks is None else _wave(peaks, loudest), lanes, rows)


def _lane(line: Line, speaker: str, y: float, own: Sequence[Said], apart: float) -> Lane:
    bands = []
    for one in own:
        start, end = max(one.start_s, line.start_s), min(one.end_s, line.end_s)
        x = LEFT + (start - line.start_s) / line.full_s * INNER
        width = max(1.2, (end - start) / line.full_s * INNER - apart)
        sign = letter(one.label) if one.label and width >= LETTER_WIDTH else ""
        bands.append(Band(one, x, width, sign, one.start_s >= line.start_s))
    base = y + BAND + UNDER + STACK
    stacks = {
        side: _stack([(band.x, band.width, band.said.sides[side]) for band in bands if side in band.said.sides], base)
        for side in SIDES
    }
    return Lane(speaker, y, tuple(bands), stacks)


def _stack(columns: Iterable[tuple[float, float, Probabilities]], base: float) -> dict[str, str]:
    """A path per emotion: one rectangle for each utterance, standing on those of the emotions before it."""
    paths: dict[str, list[str]] = {}
    for x, width, values in columns:
        ground = base
        for emotion in STACKED:
            height = STACK * values.get(emotion, 0.0)
            if height >= 0.1:
                paths.setdefault(emotion, []).append(
                    f"M{number(x)} {number(ground)}h{number(width)}v{number(-height)}h{number(-width)}z"
                )
            ground -= height
    return {emotion: "".join(paths[emotion]) for emotion in STACKED if emotion in paths}


def _loudest(peaks: Peaks | None) -> float:
    return 1.0 if peaks is None else max(float(-peaks[0].min()), float(peaks[1].max()), 1e-4)


def _wave(peaks: Peaks, loudest: float) -> str:
    """A stroke per column from its lowest to its highest sample."""
    middle, scale = WAVE / 2, WAVE / 2 / loudest
    parts = []
    for column in range(peaks.shape[1]):
        low, high = float(peaks[0, column]), float(peaks[1, column])
        if low == high == 0.0:
            continue
        up, down = middle - max(high * scale, 0.4), middle - min(low * scale, -0.4)
        parts.append(f"M{number(LEFT + COLUMN * (column + 0.5))} {number(up)}V{number(down)}")
    return "".join(parts)


def number(value: float) -> str:
    """A number with at most one decimal."""
    return f"{value:.1f}".removesuffix(".0")


def clock(seconds: float) -> str:
    """m:ss.s, or h:mm:ss.s."""
    return clock_ms(round(seconds, 1))[:-2]
