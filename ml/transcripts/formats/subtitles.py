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
    pieces = _VOICE.split(_DASH.sub("", text))
    said = [(name, _words(piece)) for name, piece in zip([None, *pieces[1::2]], pieces[0::2], strict=True)]
    said = [(name, words) for name, words in said if words]
    letters, gone, turns = sum(len(words) for _, words in said), 0, []
    for name, words in said:
        if name is None and (match := _NAME.match(words)) is not None and not cleaning.is_sound(match.group(1)):
            name, words = match.group(1), words[match.end() :]
        first, gone = gone, gone + len(words) if (name, words) != said[-1] else letters
        begin, until = start + (end - start) * first / letters, start + (end - start) * min(gone, letters) / letters
        turns.append(Turn(cleaning.said(words), round(begin, 3), round(until, 3), cleaning.speaker(name)))
    return [turn for turn in turns if turn.text]


def _words(text: str) -> str:
    return cleaning.one_line(html.unescape(_TAG.sub("", text)))
