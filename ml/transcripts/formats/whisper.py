"""Segments as Whisper, WhisperX, faster-whisper and many others write them.

`{"segments": [{start, end, text, speaker?, words?: [{word, start?, end?, score|probability?, speaker?}]}], language}`,
or the list of segments alone. A segment in which the speaker changes between words is cut there. Words that the
recognizer could not place (numerals, in WhisperX) have no time and stay in the text only. Where there are no segments,
`word_segments` are cut into turns at pauses.
"""

from collections.abc import Iterable
from itertools import groupby
from typing import Any

from ml.transcripts import cleaning
from ml.transcripts.assembling import Spoken, turns_of
from ml.transcripts.formats.fields import entries, first, mapping, text
from ml.transcripts.source import Reading, Source
from ml.transcripts.times import BadTimes, confidence, seconds, span, word_span
from ml.transcripts.types import Said, Turn


def is_segments(document: Any) -> bool:
    """Whether there are segments or words with times."""
    if isinstance(document, list):
        return any("start" in item and ("text" in item or "word" in item) for _, item in entries(document, ""))
    return any(isinstance(mapping(document).get(name), list) for name in ("segments", "word_segments"))


def read(source: Source, document: Any) -> Reading:
    """One turn per segment and speaker."""
    whole: dict[str, Any] = {"segments": document} if isinstance(document, list) else document
    turns: list[tuple[int | str, Turn]] = []
    for where, segment in entries(whole.get("segments"), "segments"):
        try:
            start = seconds(segment.get("start"))
            end = seconds(segment["end"]) if "end" in segment else start + seconds(segment.get("duration"))
            start, end = span(start, end)
        except BadTimes as exc:
            source.problem(where, str(exc))
            continue
        speaker = cleaning.speaker(segment.get("speaker"))
        words = words_of(source, entries(segment.get("words"), f"{where}.words"), speaker)
        written = cleaning.said(text(first(segment, "text", "word")))
        if not written:
            continue
        turn = Turn(written, start, end, speaker, words=tuple(word.said for word in words) or None)
        turns += [(where, part) for part in _parted(turn, words)]
    if turns:
        return Reading(source.alike(turns), whole.get("language"))
    words = words_of(source, entries(whole.get("word_segments"), "word_segments"), None)
    return Reading(turns_of(words), whole.get("language"))


def words_of(source: Source, items: Iterable[tuple[str, dict[str, Any]]], speaker: str | None) -> list[Spoken]:
    """Words that have times."""
    found = []
    for where, item in items:
        written = cleaning.word(text(first(item, "word", "text")))
        if written is None or "start" not in item:
            continue
        try:
            start, end = word_span(seconds(item["start"]), seconds(item.get("end")))
        except BadTimes as exc:
            source.problem(where, str(exc))
            continue
        said = Said(written, start, end, confidence(first(item, "score", "probability", "confidence")))
        found.append(Spoken(said, cleaning.speaker(item.get("speaker")) or speaker))
    return found


def _parted(turn: Turn, words: list[Spoken]) -> list[Turn]:
    runs = [(speaker, [word.said for word in run]) for speaker, run in groupby(words, lambda word: word.speaker)]
    if len(runs) < 2:
        return [turn]
    parts = []
    for speaker, run in runs:
        written = " ".join(word.text for word in run)
        parts.append(Turn(written, run[0].start_s, max(w.end_s for w in run), speaker, words=tuple(run)))
    return parts
