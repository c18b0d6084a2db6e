"""Plain text, lines of `start end [speaker] text`, and lists of recordings with their text.

- Two numbers open a timed line. One among many lines is prose ("2 3 weeks ago"); most of them are a format, and the
  lines without are then left out.
- One single line of whole numbers from 0 to more than 8,000 is TIMIT's prompt: its times are samples at 16 kHz.
- Lines of `NAME.wav<TAB>text` are a list of recordings, of which the one asked for is read.
- `[Ann] text` at the start of a line is who says it, unless it is a sound (`[laughter]`).
"""

import re

from ml.audio.decode import EXTENSIONS
from ml.transcripts import cleaning
from ml.transcripts.source import Reading, Source
from ml.transcripts.times import BadTimes, seconds, span
from ml.transcripts.types import Turn

_TIME = r"((?:(?:\d{1,4}:)?\d{1,6}:)?\d{1,9}(?:[.,]\d{1,9})?)"
_LINE = re.compile(rf"^\s*{_TIME}\s+{_TIME}(?:\s+\[([^\]]+)\])?(?:\s+(.*))?$", re.DOTALL)
_SPEAKER = re.compile(r"^\s*\[([^\]]{1,80})\]\s*(.*)$", re.DOTALL)
_SAMPLE_RATE, _SHORTEST_PROMPT = 16_000, 8_000


def read(source: Source) -> Reading:
    """Timed or untimed turns, one per line."""
    lines = list(source.lines())
    listed = _listed(source, lines)
    if listed is not None:
        return Reading(listed)
    timed = [_LINE.match(line) for _, line in lines]
    if sum(match is not None for match in timed) <= len(lines) / 2:
        return Reading([turn for _, line in lines if (turn := untimed(line)).text])
    unit = 1 / _SAMPLE_RATE if len(lines) == 1 and _is_prompt(timed[0]) else 1.0
    turns = []
    for (number, _), match in zip(lines, timed, strict=True):
        if match is None:
            source.problem(number, "no `start end` although other lines have it")
            continue
        try:
            start, end = span(seconds(match.group(1)) * unit, seconds(match.group(2)) * unit)
        except BadTimes as exc:
            source.problem(number, str(exc))
            continue
        name, written = match.group(3) or "", match.group(4) or ""
        sound = cleaning.is_sound(name)
        if not cleaning.only_sounds(written) and (written or not sound):
            turns.append(Turn(cleaning.said(written), start, end, None if sound else cleaning.speaker(name)))
    return Reading(turns)


def is_timed(line: str) -> bool:
    """Whether a line begins with two times."""
    return _LINE.match(line) is not None


def untimed(line: str) -> Turn:
    """A line without times; `[Ann]` at its start is who says it."""
    match = _SPEAKER.match(line)
    if match is None or cleaning.is_sound(match.group(1)):
        return Turn(cleaning.said(line))
    return Turn(cleaning.said(match.group(2)), speaker=cleaning.speaker(match.group(1)))


def _is_prompt(match: re.Match[str] | None) -> bool:
    return (
        match is not None
        and match.group(1) == "0"
        and match.group(2).isdigit()
        and int(match.group(2)) > _SHORTEST_PROMPT
    )


def _listed(source: Source, lines: list[tuple[int, str]]) -> list[Turn] | None:
    rows = [line.strip().partition("\t") for _, line in lines]
    if not all(tab and name.lower().endswith(tuple(EXTENSIONS)) for name, tab, _ in rows) or not rows:
        return None
    own = source.chosen(name for name, _, _ in rows)
    return [Turn(cleaning.said(text)) for name, _, text in rows if name == own]


def read_label(source: Source) -> Reading:
    """`.lab`: the plain text of a recording, as Kaldi's and the Montreal aligner's corpora keep it.

    HTK's label files have the same extension; they do not say whether phones or words stand in them.
    """
    lines = list(source.lines())
    if lines and all(re.match(r"\s*\d+\s+\d+\s+\S", line) for _, line in lines):
        raise source.unreadable(lines[0][0], "these are HTK labels, which do not say whether they are words or phones")
    return read(source)
