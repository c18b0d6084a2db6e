"""lhotse's supervisions: `{id, recording_id, start, duration, channel, text, language, speaker, alignment}`.

One object a line (`.jsonl`, `.jsonl.gz`) or a list of them. `alignment` holds lists of `[symbol, start, duration,
score]`; "word" and "phone" (or "phoneme") are read, whose scores are no probabilities. Lines that hold segments with
`start` and `end`, as other programs write them, are read as well.
"""

from collections.abc import Iterable
from typing import Any

from ml.transcripts import cleaning
from ml.transcripts.formats.fields import entries, first, mapping, text
from ml.transcripts.source import Reading, Source
from ml.transcripts.times import BadTimes, seconds, span, word_span
from ml.transcripts.types import Said, Turn


def is_supervisions(document: Any) -> bool:
    """Whether it is a list of supervisions."""
    return isinstance(document, list) and any("recording_id" in item for _, item in entries(document, ""))


def read_document(source: Source, document: Any) -> Reading:
    """A list of supervisions."""
    return read_rows(source, entries(document, "entry "))


def read_rows(source: Source, rows: Iterable[tuple[int | str, Any]]) -> Reading:
    """One turn per supervision of the recording asked for."""
    good: list[tuple[int | str, dict[str, Any]]] = []
    for where, row in rows:
        if isinstance(row, dict) and "start" in row:
            good.append((where, row))
        else:
            source.problem(where, "it is no supervision with `start` and `duration`")
    own = source.chosen(row["recording_id"] for _, row in good if isinstance(row.get("recording_id"), str))
    if own is not None:
        good = [(where, row) for where, row in good if row.get("recording_id") == own]
    channels = {_channel(row) for _, row in good}
    turns, languages = [], set()
    for where, row in good:
        if cleaning.only_sounds(text(row.get("text"))):
            continue
        try:
            start = seconds(row["start"])
            end = seconds(row["end"]) if "end" in row else start + seconds(row.get("duration"))
            start, end = span(start, end)
        except BadTimes as exc:
            source.problem(where, str(exc))
            continue
        parts = mapping(row.get("alignment"))
        turns.append(
            Turn(
                cleaning.said(text(row.get("text"))),
                start,
                end,
                cleaning.speaker(row.get("speaker")),
                _channel(row) if len(channels) > 1 else None,
                _items(source, where, parts.get("word"), cleaning.word),
                _items(source, where, first(parts, "phone", "phoneme", "phones"), cleaning.phone),
            )
        )
        languages.add(text(row.get("language")))
    return Reading(turns, languages.pop() if len(languages) == 1 else None)


def _channel(row: dict[str, Any]) -> int | None:
    """A number, or a list of one."""
    value = row.get("channel")
    if isinstance(value, list):
        value = value[0] if len(value) == 1 else None
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1000 else None


def _items(source: Source, where: int | str, items: object, label_of: Any) -> tuple[Said, ...] | None:
    found = []
    for item in items if isinstance(items, list) else ():
        row = [item.get(name) for name in ("symbol", "start", "duration")] if isinstance(item, dict) else item
        if not isinstance(row, list) or len(row) < 3 or (label := label_of(text(row[0]))) is None:
            continue
        try:
            start = seconds(row[1])
            found.append(Said(label, *word_span(start, start + seconds(row[2]))))
        except BadTimes as exc:
            source.problem(where, f"in its alignment, {exc}")
    return tuple(sorted(found, key=lambda item: item.start_s)) or None
