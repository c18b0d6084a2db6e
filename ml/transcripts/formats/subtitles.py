"""SRT and WebVTT (https://www.w3.org/TR/webvtt1/).

Read here and not with pysubs2, which drops what it cannot read without a word, gives no line numbers and leaves
WebVTT's voices out. Cues overlap and come in any order, so nothing is concluded from their numbers. Speakers: WebVTT's
`<v Name>`, and `[Name]:` as WhisperX writes it. Two voices in one cue share its time by the length of their text.
"""

import html
import re

from ml.transcripts import cleaning
from ml.transcripts.source import Reading, Source
from ml.transcripts.times import BadTimes, seconds, span
from ml.transcripts.types import Turn

_ARROW = "-->"
_STAMP = re.compile(r"(?:\d{1,4}:)?\d{1,3}:\d{1,2}[.,]\d{1,3}|\d{1,6}[.,]\d{1,3}")
_VOICE = re.compile(r"<v(?:\.[^\s>]{0,80})?[ \t]([^>]{1,200})>")
_TAG = re.compile(r"</?[A-Za-z0-9][^<>]{0,200}>|\{\\[^{}]{0,80}\}")
_NAME = re.compile(r"^\s*\[([^\]]{1,80})\]\s*:\s*")
_DASH = re.compile(r"^\s*[-–—]\s+", re.MULTILINE)


def read(source: Source) -> Reading:
    """One turn per cue and voice."""
    turns: list[Turn] = []
    # Header, notes, styles, numbers and identifiers stand before an arrow or in blocks without one.
    stamp: tuple[int, str] | None = None
    held: list[str] = []
    last = 0
    for number, line in [*source.lines(), (0, "")]:
        blank = number == 0 or number > last + 1
        if _ARROW in line or blank:
            if stamp is not None:
                # A cue without a blank line after it: the next one's number is not said.
                if _ARROW in line and not blank and held and held[-1].strip().isdigit():
                    held.pop()
                turns += _cue(source, *stamp, "\n".join(held))
            stamp, held = (number, line) if _ARROW in line else None, []
        elif stamp is not None:
            held.append(line)
        last = number
    return Reading(turns)


def _cue(source: Source, number: int, stamp: str, text: str) -> list[Turn]:
    start_text, _, rest = stamp.partition(_ARROW)
    stamps = [_STAMP.fullmatch(start_text.strip()), _STAMP.match(rest.strip())]
    try:
        if None in stamps:
            raise BadTimes("the cue has no `start --> end`")
        start, end = span(*(seconds(match.group()) for match in stamps if match is not None))
    except BadTimes as exc:
        source.problem(number, str(exc))
        return []
    # What stands before the first voice has none.
    pieces = [None, *_VOICE.split(text)]
    said = [_named(name, piece or "") for name, piece in zip(pieces[0::2], pieces[1::2], strict=True)]
    said = [(name, words) for name, words in said if words]
    letters, turns, first = sum(len(words) for _, words in said), [], start
    for name, words in said:
        last = first + (end - start) * len(words) / letters
        turns.append(Turn(words, round(first, 3), round(last, 3), cleaning.speaker(name)))
        first = last
    return turns


def _named(name: str | None, piece: str) -> tuple[str | None, str]:
    """Who says a piece of a cue, and what."""
    words = html.unescape(_DASH.sub("", _TAG.sub("", piece)))
    match = _NAME.match(words)
    if name is None and match is not None and not cleaning.is_sound(match.group(1)):
        name, words = match.group(1), words[match.end() :]
    return name, cleaning.said(words)
