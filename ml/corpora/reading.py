"""Tables and lines of corpora, with the number of every line for the errors."""

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from ml.corpora.types import CorpusBroken, CorpusMissing

UTF_8 = ("utf-8-sig",)


def text_of(path: Path, encodings: Sequence[str] = UTF_8) -> str:
    """A text file, in the first encoding that fits; raises `CorpusMissing` or `CorpusBroken`."""
    try:
        raw = path.read_bytes()
    except OSError as exc:
        raise CorpusMissing(f"{path.parent} holds no {path.name} that can be read") from exc
    for encoding in encodings:
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise CorpusBroken.at(path, None, f"it is not text in {' or '.join(encodings)}")


def rows(path: Path, *, delimiter: str = ",", encodings: Sequence[str] = UTF_8) -> Iterator[tuple[int, list[str]]]:
    """(line, fields) of a table, its header included; lines are counted from 1, a row that spans some by its last."""
    lines = csv.reader(io.StringIO(text_of(path, encodings), newline=""), delimiter=delimiter, strict=True)
    try:
        for fields in lines:
            if fields:
                yield lines.line_num, fields
    except csv.Error as exc:
        raise CorpusBroken.at(path, lines.line_num, f"it cannot be read as a table ({exc})") from exc


def table(path: Path, columns: Sequence[str], *, delimiter: str = ",") -> Iterator[tuple[int, dict[str, str]]]:
    """(line, row) of a table with at least these columns; raises `CorpusMissing` or `CorpusBroken`."""
    content = rows(path, delimiter=delimiter)
    line, header = next(content, (1, []))
    missing = [name for name in columns if name not in header]
    if missing:
        raise CorpusBroken.at(path, line, f"there is no column {', '.join(missing)}")
    for line, fields in content:
        if len(fields) != len(header):
            raise CorpusBroken.at(path, line, f"it has {len(fields)} fields, the header {len(header)}")
        yield line, dict(zip(header, fields, strict=True))
