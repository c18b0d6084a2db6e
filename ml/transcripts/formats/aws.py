"""Amazon Transcribe, and its Call Analytics.

Punctuation has no time and belongs to the word before it. Speakers: `spk_0` of diarization, channels, or the roles of
Call Analytics.
"""

from collections.abc import Iterator
from typing import Any

from ml.transcripts import cleaning
from ml.transcripts.assembling import Spoken, turns_of
from ml.transcripts.formats.fields import entries, first, mapping, text
from ml.transcripts.source import Reading, Source
from ml.transcripts.times import BadTimes, confidence, seconds, span, word_span
from ml.transcripts.types import Said, Turn

_MILLI_S = 1e-3


def is_transcribe(document: Any) -> bool:
    """The result of a transcription job."""
    return isinstance(mapping(mapping(document).get("results")).get("items"), list)


def is_call_analytics(document: Any) -> bool:
    """The result of a call analytics job."""
    return isinstance(mapping(document).get("Transcript"), list)


def read_transcribe(source: Source, document: Any) -> Reading:
    """Turns cut where the speaker changes and at pauses."""
    results = document["results"]
    speakers = {
        item.get("start_time"): item.get("speaker_label")
        for _, segment in entries(mapping(results.get("speaker_labels")).get("segments"), "")
        for _, item in entries(segment.get("items"), "")
        if isinstance(item.get("start_time"), str)
    }
    channels = list(entries(mapping(results.get("channel_labels")).get("channels"), ""))
    words: list[Spoken] = []
    if len(channels) > 1:
        for number, (_, channel) in enumerate(channels):
            words += _words(source, channel.get("items"), {}, number)
    else:
        words += _words(source, results["items"], speakers, None)
    return Reading(turns_of(words), first(results, "language_code"))


def _words(source: Source, items: object, speakers: dict[Any, Any], channel: int | None) -> Iterator[Spoken]:
    held: Spoken | None = None
    for where, item in entries(items, "items" if channel is None else f"channel {channel} items"):
        best = next((choice for _, choice in entries(item.get("alternatives"), "")), {})
        content = text(best.get("content"))
        if item.get("type") == "punctuation":
            if held is not None:
                said = held.said
                marked = Said(cleaning.one_line(said.text + content), said.start_s, said.end_s, said.confidence)
                held = Spoken(marked, held.speaker, held.channel)
            continue
        if held is not None:
            yield held
            held = None
        written = cleaning.word(content)
        if written is None:
            continue
        try:
            start, end = word_span(seconds(item.get("start_time")), seconds(item.get("end_time")))
        except BadTimes as exc:
            source.problem(where, str(exc))
            continue
        key = item.get("start_time")
        name = item.get("speaker_label") or (speakers.get(key) if isinstance(key, str) else None)
        held = Spoken(Said(written, start, end, confidence(best.get("confidence"))), cleaning.speaker(name), channel)
    if held is not None:
        yield held


def read_call_analytics(source: Source, document: Any) -> Reading:
    """One turn per entry of the transcript."""
    turns: list[tuple[int | str, Turn]] = []
    for where, item in entries(document["Transcript"], "Transcript"):
        try:
            start, end = span(*_times(item))
        except BadTimes as exc:
            source.problem(where, str(exc))
            continue
        words = []
        for place, word in entries(item.get("Items"), f"{where}.Items"):
            written = cleaning.word(text(word.get("Content")))
            if written is None or word.get("Type") == "punctuation":
                continue
            try:
                words.append(Said(written, *word_span(*_times(word)), confidence(word.get("Confidence"))))
            except BadTimes as exc:
                source.problem(place, str(exc))
        speaker = cleaning.speaker(first(item, "ParticipantRole", "ParticipantId"))
        written = cleaning.said(text(item.get("Content")))
        if written:
            turns.append((where, Turn(written, start, end, speaker, words=tuple(words) or None)))
    return Reading(source.alike(turns), document.get("LanguageCode"))


def _times(item: dict[str, Any]) -> tuple[float, float]:
    return seconds(item.get("BeginOffsetMillis"), _MILLI_S), seconds(item.get("EndOffsetMillis"), _MILLI_S)
