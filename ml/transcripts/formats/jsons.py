"""JSON: which of the forms it is, told from what it holds, since all have the same extension.

Places in problems are entries ("segments[3]"), because programs write all of it in one line.
"""

import json
import re
from collections.abc import Callable
from typing import Any

from ml.transcripts.formats import aws, azure, gentle, lhotse, whisper
from ml.transcripts.source import MAX_ENTRIES, Reading, Source

_OPENING = re.compile(r"[\[{]")

#: (whether a document is of the form, its reader); the first that fits.
FORMS: tuple[tuple[Callable[[Any], bool], Callable[[Source, Any], Reading]], ...] = (
    (azure.is_batch, azure.read_batch),
    (azure.is_fast, azure.read_fast),
    (azure.is_conversation, azure.read_conversation),
    (aws.is_transcribe, aws.read_transcribe),
    (aws.is_call_analytics, aws.read_call_analytics),
    (gentle.is_gentle, gentle.read),
    (lhotse.is_supervisions, lhotse.read_document),
    (whisper.is_segments, whisper.read),
)


def recognises(text: str) -> bool | None:
    """Whether it is one of the forms; None when it is not even JSON."""
    try:
        document = _parse(text)
    except (ValueError, RecursionError):
        return None
    return any(fits(document) for fits, _ in FORMS)


def recognises_lines(text: str) -> bool:
    """Whether the first line is an object with times."""
    try:
        row = _parse(text.lstrip().partition("\n")[0])
    except (ValueError, RecursionError):
        return False
    return isinstance(row, dict) and "start" in row and ("duration" in row or "end" in row)


def read(source: Source) -> Reading:
    """A transcript in any of the forms."""
    try:
        document = _parse(source.text)
    except json.JSONDecodeError as exc:
        raise source.unreadable(exc.lineno, "it is not JSON from here on") from None
    except RecursionError:
        raise source.unreadable(None, "it is nested too deeply") from None
    except ValueError:
        raise source.unreadable(None, "it holds a number that is none, or too much") from None
    for fits, reader in FORMS:
        if fits(document):
            return reader(source, document)
    raise source.unreadable(None, "it is JSON, but of no recognizer or aligner that is known here")


def read_lines(source: Source) -> Reading:
    """JSON lines: one supervision (lhotse) or segment a line."""
    rows: list[tuple[int, Any]] = []
    for number, line in source.lines():
        try:
            rows.append((number, _parse(line)))
        except (ValueError, RecursionError):
            source.problem(number, "it is not JSON")
    return lhotse.read_rows(source, rows)


def _parse(text: str) -> Any:
    # Millions of empty objects would take a hundred times the file's size.
    if sum(1 for _ in _OPENING.finditer(text)) > MAX_ENTRIES:
        raise ValueError("too many entries")
    return json.loads(text)
