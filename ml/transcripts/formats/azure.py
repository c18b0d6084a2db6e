"""Azure Speech: batch transcription, fast transcription, and conversations of the Language service (call centres).

Times are ticks of 100 ns, ISO 8601 durations, or milliseconds, by the name of the field. Channels and diarized speakers
are numbers. Of the forms of a text (display, ITN, lexical, masked) the display form counts, and never a masked one
where another is there.
"""

from typing import Any

from ml.transcripts import cleaning
from ml.transcripts.formats.fields import entries, first, mapping, text
from ml.transcripts.source import Reading, Source
from ml.transcripts.times import BadTimes, confidence, iso_seconds, seconds, span, word_span
from ml.transcripts.types import Said, Turn

_TICK_S, _MILLI_S = 1e-7, 1e-3


def is_batch(document: Any) -> bool:
    """Batch transcription, all API versions."""
    return isinstance(mapping(document).get("recognizedPhrases"), list)


def is_fast(document: Any) -> bool:
    """Fast transcription."""
    return isinstance(mapping(document).get("phrases"), list) and "combinedPhrases" in document


def is_conversation(document: Any) -> bool:
    """A request to, or a result of, conversation analysis."""
    return any("conversationItems" in item for _, item in entries(_conversations(document), ""))


def read_batch(source: Source, document: Any) -> Reading:
    """One turn per phrase that was recognized, of its best hypothesis."""
    turns: list[tuple[int | str, Turn]] = []
    phrases = list(entries(document["recognizedPhrases"], "recognizedPhrases"))
    several = len({str(phrase.get("channel")) for _, phrase in phrases}) > 1
    language = None
    for where, phrase in phrases:
        best = next((item for _, item in entries(phrase.get("nBest"), "nBest")), None)
        if best is None or phrase.get("recognitionStatus", "Success") != "Success":
            continue
        language = language or phrase.get("locale")
        written = text(first(best, "display", "itn", "lexical", "maskedITN"))
        words = _words(source, where, first(best, "words", "displayWords"), "word")
        turns += _turn(source, where, phrase, written, words, phrase.get("channel") if several else None)
    return Reading(source.alike(turns), language)


def read_fast(source: Source, document: Any) -> Reading:
    """One turn per phrase."""
    turns: list[tuple[int | str, Turn]] = []
    phrases = list(entries(document["phrases"], "phrases"))
    several = len({str(phrase.get("channel")) for _, phrase in phrases}) > 1
    language = next((phrase["locale"] for _, phrase in phrases if phrase.get("locale")), None)
    for where, phrase in phrases:
        words = _words(source, where, phrase.get("words"), "text")
        channel = phrase.get("channel") if several else None
        turns += _turn(source, where, phrase, text(phrase.get("text")), words, channel)
    return Reading(source.alike(turns), language)


def read_conversation(source: Source, document: Any) -> Reading:
    """One turn per item of the conversation; without audio timings, in order."""
    conversations = {
        text(item.get("id")) or where: item for where, item in entries(_conversations(document), "conversations")
    }
    own = source.chosen(conversations)
    conversation = conversations[own] if own is not None else {}
    turns: list[tuple[int | str, Turn]] = []
    for where, item in entries(conversation.get("conversationItems"), "conversationItems"):
        written = text(first(item, "text", "itn", "lexical", "maskedItn"))
        speaker = cleaning.speaker(first(item, "participantId", "role"))
        words = _words(source, where, first(item, "wordLevelTimings", "audioTimings"), "word")
        timing = mapping(item.get("conversationItemLevelTiming"))
        if timing:
            turns += _turn(source, where, timing | {"speaker": speaker}, written, words, None)
        elif words:
            turns.append((where, Turn(cleaning.said(written), words[0].start_s, words[-1].end_s, speaker, words=words)))
        else:
            turns.append((where, Turn(cleaning.said(written), speaker=speaker)))
    return Reading(source.alike(turns), conversation.get("language"))


def _conversations(document: Any) -> Any:
    return first(mapping(mapping(document).get("analysisInput")), "conversations") or mapping(document).get(
        "conversations"
    )


def _turn(
    source: Source, where: str, item: dict[str, Any], written: str, words: tuple[Said, ...] | None, channel: object
) -> list[tuple[int | str, Turn]]:
    try:
        start, length = _times(item)
        start, end = span(start, start + length)
    except BadTimes as exc:
        source.problem(where, str(exc))
        return []
    if not cleaning.said(written):
        return []
    number = channel if isinstance(channel, int) and 0 <= channel < 1000 else None
    return [(where, Turn(cleaning.said(written), start, end, cleaning.speaker(item.get("speaker")), number, words))]


def _words(source: Source, where: str, items: object, name: str) -> tuple[Said, ...] | None:
    found = []
    for place, item in entries(items, f"{where}.words"):
        written = cleaning.word(text(first(item, name, "displayText", "text", "word")))
        if written is None:
            continue
        try:
            start, length = _times(item)
            start, end = word_span(start, start + length)
        except BadTimes as exc:
            source.problem(place, str(exc))
            continue
        found.append(Said(written, start, end, confidence(item.get("confidence"))))
    return tuple(found) or None


def _times(item: dict[str, Any]) -> tuple[float, float]:
    """Start and length in seconds, whichever fields say it."""
    if "offsetInTicks" in item:
        return seconds(item["offsetInTicks"], _TICK_S), seconds(item.get("durationInTicks"), _TICK_S)
    if "offsetMilliseconds" in item:
        return seconds(item["offsetMilliseconds"], _MILLI_S), seconds(item.get("durationMilliseconds"), _MILLI_S)
    if isinstance(item.get("offset"), str):
        return iso_seconds(item["offset"]), iso_seconds(item.get("duration"))
    return seconds(item.get("offset"), _TICK_S), seconds(item.get("duration"), _TICK_S)
