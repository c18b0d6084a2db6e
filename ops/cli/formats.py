"""Rows of a query as an aligned table, CSV or one JSON array, written while they are read."""

import csv
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import chain, islice
from typing import Any, TextIO
from uuid import UUID

from rich.cells import cell_len

from ops.cli.text import visible
from ops.query import Result

#: Rows that decide the width of a table's columns; wider cells further on stick out.
LOOK_AHEAD = 1000


def as_json(value: Any) -> Any:
    """A database value or a dataclass as JSON holds it: times in ISO 8601, not-a-number as null."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Decimal):
        if not value.is_finite():
            return None
        return int(value) if value == value.to_integral_value() else float(value)
    if is_dataclass(value) and not isinstance(value, type):
        return as_json(asdict(value))
    if isinstance(value, dict):
        return {str(key): as_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(item) for item in value]
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, memoryview | bytes):
        return bytes(value).hex()
    return str(value)


def as_text(value: Any) -> str:
    """A database value as a cell; NULL is empty."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        return json.dumps(as_json(value), ensure_ascii=False)
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, memoryview | bytes):
        return bytes(value).hex()
    return str(value)


def write_csv(result: Result, out: TextIO) -> int:
    """RFC 4180 with a header line; returns the number of rows."""
    if not result.columns:
        return 0
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(result.columns)
    count = 0
    for row in result.rows:
        writer.writerow([as_text(value) for value in row])
        count += 1
    return count


def write_json(result: Result, out: TextIO) -> int:
    """One array with an object per row, a row per line; a column name that occurs again gets a number."""
    names = _distinct(result.columns)
    count = 0
    out.write("[")
    for row in result.rows:
        item = dict(zip(names, map(as_json, row), strict=True))
        out.write(",\n" if count else "\n")
        out.write(json.dumps(item, ensure_ascii=False, allow_nan=False))
        count += 1
    out.write("\n]\n" if count else "]\n")
    return count


def write_table(result: Result, out: TextIO, *, width: int | None = None) -> int:
    """An aligned table; where it would be wider than `width` characters, a block of lines per row."""
    if not result.columns:
        return 0
    names = [visible(name) for name in result.columns]
    rows: Iterator[Sequence[Any]] = iter(result.rows)
    head = list(islice(rows, LOOK_AHEAD))
    widths = [cell_len(name) for name in names]
    for row in head:
        widths = [max(wide, cell_len(visible(as_text(value)))) for wide, value in zip(widths, row, strict=True)]
    write = _write_blocks if width is not None and sum(widths) + 3 * len(widths) - 1 > width else _write_lines
    count = write(names, widths, chain(head, rows), out)
    out.write(f"({count} row{'' if count == 1 else 's'})\n")
    return count


def _write_lines(names: Sequence[str], widths: Sequence[int], rows: Iterable[Sequence[Any]], out: TextIO) -> int:
    out.write(" " + " | ".join(_pad(name, wide) for name, wide in zip(names, widths, strict=True)).rstrip() + "\n")
    out.write("-" + "-+-".join("-" * wide for wide in widths) + "-\n")
    count = 0
    for row in rows:
        cells = [
            _pad(visible(as_text(value)), wide, right=isinstance(value, int | float | Decimal))
            for value, wide in zip(row, widths, strict=True)
        ]
        out.write((" " + " | ".join(cells)).rstrip() + "\n")
        count += 1
    return count


def _write_blocks(names: Sequence[str], _: Sequence[int], rows: Iterable[Sequence[Any]], out: TextIO) -> int:
    wide = max(cell_len(name) for name in names)
    count = 0
    for row in rows:
        count += 1
        out.write(f"-[ {count} ]-\n")
        for name, value in zip(names, row, strict=True):
            out.write(f"{_pad(name, wide)} | {visible(as_text(value))}".rstrip() + "\n")
    return count


def _pad(text: str, wide: int, *, right: bool = False) -> str:
    space = " " * max(0, wide - cell_len(text))
    return space + text if right else text + space


def _distinct(columns: Sequence[str]) -> list[str]:
    names: list[str] = []
    for column in columns:
        name, again = column, 2
        while name in names:
            name, again = f"{column}_{again}", again + 1
        names.append(name)
    return names
