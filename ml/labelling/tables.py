"""Labels in a table with a header (CSV, TSV), or as one JSON object per line. Fields: `ml.labelling.rows`."""

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

from ml.labelling.errors import LabelsUnreadable
from ml.labelling.rows import is_about_labels, judgement_of
from ml.labelling.types import Read, Refusal
from ml.labelling.words import Words


def read_table(found: Read, text: str, *, annotator: str | None, words: Words) -> None:
    """Read the rows of a table; raises `LabelsUnreadable` when its header names no recording or nothing judged."""
    lines = io.StringIO(text, newline="")
    delimiter = max("\t,;", key=text.split("\n", 1)[0].count)
    rows = csv.reader(lines, delimiter=delimiter, strict=True)
    header = next(rows, [])
    if not is_about_labels(header):
        raise LabelsUnreadable(
            f"{found.source} has no header that names a recording and a judgement",
            hint="The first line names the columns, e.g. `recording,start_s,end_s,annotator,label,arousal,valence`.",
        )
    for line, fields in _rows(found, rows):
        if len(fields) != len(header):
            _refuse(found, line, f"it has {len(fields)} fields, the header {len(header)}")
            continue
        _take(found, line, dict(zip(header, fields, strict=True)), annotator, words)


def read_jsonl(found: Read, text: str, *, annotator: str | None, words: Words) -> None:
    """Read one object per line."""
    for line, content in enumerate(text.split("\n"), start=1):
        if not content.strip():
            continue
        try:
            fields = json.loads(content)
        except (ValueError, RecursionError):
            _refuse(found, line, "it is no JSON")
            continue
        if not isinstance(fields, dict):
            _refuse(found, line, "it is no JSON object")
            continue
        _take(found, line, fields, annotator, words)


def _rows(found: Read, rows: Any) -> Iterator[tuple[int, list[str]]]:
    """(line, fields), by the first line of a row that spans some."""
    begins = rows.line_num + 1
    while True:
        try:
            fields = next(rows)
        except StopIteration:
            return
        except csv.Error as exc:
            _refuse(found, begins, f"it and what follows cannot be read as a table ({exc})")
            return
        if any(field.strip() for field in fields):
            yield begins, fields
        begins = rows.line_num + 1


def _take(found: Read, line: int, fields: dict[str, Any], annotator: str | None, words: Words) -> None:
    where = f"line {line}"
    try:
        judgement = judgement_of(
            fields, file=found.source, where=where, annotator=annotator, words=words, left_out=found.left_out
        )
    except ValueError as exc:
        found.refusals.append(Refusal(found.source, where, str(exc)))
        return
    if judgement is not None:
        found.judgements.append(judgement)


def _refuse(found: Read, line: int, reason: str) -> None:
    found.refusals.append(Refusal(found.source, f"line {line}", reason))
