"""SQL for people: read-only, streamed, as a table, CSV or JSON."""

import csv
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any, Literal

from rich.console import Console
from rich.table import Table
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from db.engine import is_connection_problem, make_engine, unavailable
from ml.errors import TenorError

Format = Literal["table", "csv", "json"]
#: Rows fetched at a time from the server-side cursor.
PAGE = 2000
#: A table of more rows than anybody reads is cut; csv and json never are.
TABLE_ROWS = 500


class QueryFailed(TenorError):
    """Postgres refused the statement."""

    code = "query_failed"
    hint = "The views and their columns are listed in the README, and by: tenor sql \"select * from information_schema.columns where table_schema = 'public'\""  # noqa: E501


def stop_on_interrupt(connection: psycopg2.extensions.connection) -> None:
    """Wait for Postgres so that Ctrl-C stops the statement; psycopg2's own waiting would not notice it.

    For `psycopg2.extensions.set_wait_callback`, in programs that use no COPY.
    """
    try:
        while (state := connection.poll()) != psycopg2.extensions.POLL_OK:
            if state == psycopg2.extensions.POLL_READ:
                select.select([connection.fileno()], [], [])
            else:
                select.select([], [connection.fileno()], [])
    except KeyboardInterrupt:
        connection.cancel()
        raise


@contextmanager
def run_sql(url: str, query: str) -> Iterator[tuple[list[str], Iterable[Sequence[Any]]]]:
    """Run one statement in a read-only transaction; yields column names and rows as they arrive.

    Raises `QueryFailed` with Postgres's own sentence, or `DatabaseUnavailable`.
    """
    engine = make_engine(url)
    try:
        with engine.connect() as conn:
            conn.execute(text("SET TRANSACTION READ ONLY"))
            # Not `text()`: a colon in somebody's SQL is not a parameter of ours.
            result = conn.execution_options(stream_results=True, yield_per=PAGE).exec_driver_sql(
                query.replace("%", "%%")
            )
            if not result.returns_rows:
                raise QueryFailed("the statement returns no rows")
            yield list(result.keys()), result
    except DBAPIError as exc:
        if is_connection_problem(exc):
            raise unavailable(engine) from exc
        first = str(exc.orig).strip().splitlines()[0]
        raise QueryFailed(first) from exc
    finally:
        engine.dispose()


def write(columns: list[str], rows: Iterable[Sequence[Any]], format: Format, out: IO[str], console: Console) -> None:
    """Write a result in one of the formats."""
    if format == "csv":
        writer = csv.writer(out)
        writer.writerow(columns)
        writer.writerows(rows)
    elif format == "json":
        out.write("[")
        for number, row in enumerate(rows):
            out.write(",\n " if number else "")
            out.write(json.dumps(dict(zip(columns, row, strict=True)), default=str, ensure_ascii=False))
        out.write("]\n")
    else:
        _table(columns, rows, console)


def _table(columns: list[str], rows: Iterable[Sequence[Any]], console: Console) -> None:
    table = Table(box=None, header_style="bold", pad_edge=False)
    shown, cut = [], False
    for row in rows:
        if len(shown) == TABLE_ROWS:
            cut = True
            break
        shown.append([cell(value) for value in row])
    for index, name in enumerate(columns):
        numeric = bool(shown) and all(
            r[index] == "" or r[index].lstrip("-").replace(".", "", 1).isdigit() for r in shown
        )
        table.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for values in shown:
        table.add_row(*values)
    # A narrow terminal would squeeze thirty columns to nothing; a wide line can be scrolled or piped.
    natural = sum(max([len(name), *(min(60, len(r[i])) for r in shown)]) + 2 for i, name in enumerate(columns))
    wide = Console(
        file=console.file, width=max(console.width, min(natural, 4000)), no_color=console.no_color, soft_wrap=True
    )
    wide.print(table)
    if cut:
        print(f"(the first {TABLE_ROWS} rows; --format csv gives all)", file=sys.stderr)


def cell(value: Any) -> str:
    """A value as a person reads it."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.3f}"
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False)
    return str(value).replace("[", "\\[")
