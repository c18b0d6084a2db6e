"""NIST's line formats (Rich Transcription evaluation plan; sclite): CTM for words, STM for turns, RTTM for speakers.

All name the recording in each line, so that one file can hold many. `;;` opens a comment. A channel is kept where the
file's lines name more than one.
"""

from collections.abc import Iterator

from ml.transcripts import cleaning
from ml.transcripts.assembling import Spoken, turns_of
from ml.transcripts.source import Reading, Source
from ml.transcripts.times import BadTimes, confidence, seconds, span, word_span
from ml.transcripts.types import Said, Turn

_CHANNELS = {"a": 0, "b": 1}


def read_ctm(source: Source) -> Reading:
    """`recording channel start duration word [confidence]`: turns are cut at pauses."""
    words = []
    for number, fields, channel in _rows(source, 5):
        text = cleaning.word(fields[4])
        if text is None:
            continue
        try:
            start = seconds(fields[2])
            start, end = word_span(start, start + seconds(fields[3]))
        except BadTimes as exc:
            source.problem(number, str(exc))
            continue
        score = confidence(fields[5]) if len(fields) > 5 else None
        words.append(Spoken(Said(text, start, end, score), channel=channel))
    return Reading(turns_of(words))


def read_stm(source: Source) -> Reading:
    """`recording channel speaker start end [<labels>] text`; of alternatives `{ a / b }` the first counts."""
    turns = []
    for number, fields, channel in _rows(source, 5, most=6):
        text = fields[5] if len(fields) > 5 else ""
        if text.startswith("<"):
            text = text.partition(">")[2]
        silent = "ignore_time_segment_in_scoring" in text.lower() or fields[2] == "inter_segment_gap"
        if silent or cleaning.only_sounds(text):
            continue
        try:
            start, end = span(seconds(fields[3]), seconds(fields[4]))
        except BadTimes as exc:
            source.problem(number, str(exc))
            continue
        turns.append(Turn(cleaning.said(_first_alternatives(text)), start, end, cleaning.speaker(fields[2]), channel))
    return Reading(turns)


def read_rttm(source: Source) -> Reading:
    """`SPEAKER recording channel start duration <NA> <NA> name …`: who speaks when, without text."""
    turns = []
    for number, fields, channel in _rows(source, 8, kind="SPEAKER"):
        try:
            start = seconds(fields[3])
            start, end = span(start, start + seconds(fields[4]))
        except BadTimes as exc:
            source.problem(number, str(exc))
            continue
        turns.append(Turn("", start, end, cleaning.speaker(fields[7]), channel))
    return Reading(turns)


def _rows(
    source: Source, least: int, most: int = 10, kind: str | None = None
) -> Iterator[tuple[int, list[str], int | None]]:
    """Lines of the recording asked for, in fields, with their channel."""
    shift = 0 if kind is None else 1
    rows = []
    for number, line in source.lines():
        fields = line.split(maxsplit=most - 1)
        if fields[0].startswith((";;", "#")) or (kind is not None and fields[0] != kind and len(fields) >= least):
            continue
        if len(fields) < least:
            source.problem(number, f"it has fewer than {least} fields")
        else:
            rows.append((number, fields))
    own = source.chosen(fields[shift] for _, fields in rows)
    rows = [(number, fields) for number, fields in rows if fields[shift] == own]
    several = len({fields[shift + 1] for _, fields in rows}) > 1
    for number, fields in rows:
        yield number, fields, _channel(fields[shift + 1]) if several else None


def _channel(text: str) -> int | None:
    if text.isascii() and text.isdigit() and len(text) < 3:
        return max(int(text) - 1, 0)
    return _CHANNELS.get(text.lower())


def _first_alternatives(text: str) -> str:
    kept, inside, chosen = [], False, False
    for token in text.split():
        if token == "{" and not inside:
            inside = chosen = True
        elif token == "}" and inside:
            inside = False
        elif token == "/" and inside:
            chosen = False
        elif (not inside or chosen) and token != "@":
            kept.append(token)
    return " ".join(kept)
