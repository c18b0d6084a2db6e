"""The utterances of a job as a file: Parquet, CSV or JSON lines, written while they are read."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, Any, Literal

from ml.errors import TenorError
from ops.cli.formats import as_json, write_csv
from ops.query import Result, run_sql

Form = Literal["parquet", "csv", "jsonl"]
#: Rows of a Parquet row group, which is what is held in memory.
GROUP = 20_000
_WHOLE = {"version", "job_id", "recording_id", "utterance_no"}
_REAL = {"start_s", "end_s", "confidence", "arousal", "valence"}
_EMOTIONS = ("p_", "speech_", "text_")


class ExportFailed(TenorError):
    """The file cannot be written; there is none of that name, or the one that was there."""

    code = "export_failed"
    hint = "Check the place and its space, and run it again."


def form_of(out: Path | None) -> Form:
    """The form that a file's name asks for; Parquet where it asks for none."""
    endings: dict[str, Form] = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
    return endings.get(out.suffix.lower() if out is not None else "", "parquet")


def export(url: str, job_id: int, form: Form, out: Path | None) -> int:
    """Write the utterances of a job as `job_emotions` shows them, by recording and time; returns how many.

    `out` None is standard output. The file has its name once it is whole. Raises `ExportFailed`, `QueryFailed` or
    `DatabaseUnavailable`.
    """
    query = f"SELECT * FROM job_emotions WHERE job_id = {int(job_id)} ORDER BY recording, recording_id, utterance_no"
    with run_sql(url, query) as result, whole(out) as file:
        if form == "parquet":
            return _write_parquet(result, file)
        text = _Text(file)
        if form == "csv":
            return write_csv(result, text)  # type: ignore[arg-type]
        count = 0
        for row in result.rows:
            item = dict(zip(result.columns, map(as_json, row), strict=True))
            text.write(json.dumps(item, ensure_ascii=False, allow_nan=False) + "\n")
            count += 1
        return count


class _Text:
    """Text for a file of bytes, whatever the machine's language is."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def write(self, text: str) -> int:
        """In UTF-8."""
        return self._file.write(text.encode())


@contextmanager
def whole(out: Path | None) -> Iterator[IO[bytes]]:
    """A file to write that has its name once it is whole; None is standard output. Raises `ExportFailed`."""
    if out is None:
        yield sys.stdout.buffer
        return
    partial = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        with partial.open("wb") as file:
            yield file
        os.replace(partial, out)
    except OSError as exc:
        raise ExportFailed(f"{out} cannot be written: {exc.strerror or type(exc).__name__}") from exc
    finally:
        partial.unlink(missing_ok=True)


def _write_parquet(result: Result, file: IO[bytes]) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([(name, _type(pa, name)) for name in result.columns])
    count = 0
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        while rows := list(islice(result.rows, GROUP)):
            columns = zip(*rows, strict=True)
            arrays = [
                pa.array([_cell(value) for value in column], type=field.type)
                for column, field in zip(columns, schema, strict=True)
            ]
            writer.write_batch(pa.record_batch(arrays, schema=schema))
            count += len(rows)
    return count


def _type(pa: Any, name: str) -> Any:
    if name in _WHOLE:
        return pa.int64()
    if name in _REAL or name.startswith(_EMOTIONS):
        return pa.float32()
    return pa.timestamp("us", tz="UTC") if name == "recorded_at" else pa.string()


def _cell(value: Any) -> Any:
    """What has no type of its own in a table is JSON."""
    return json.dumps(as_json(value), ensure_ascii=False) if isinstance(value, dict | list) else value
