"""One SQL statement on the analyst login, read-only, streamed.

Rows come through a server-side cursor, so that the memory of this process does not grow with the result.
"""

import re
import select
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg2

from db.engine import make_engine, reading
from db.migrate import PUBLIC_VIEWS
from ml.errors import TenorError

#: Rows per round trip.
FETCH = 2000

#: What may hold a semicolon that ends no statement, the semicolon itself, and everything else.
_TOKEN = re.compile(
    r"""
      (?P<comment> --[^\n]* | /\*.*?\*/ )
    | (?P<quoted> [eE]'(?:\\.|''|[^'\\])*' | '(?:''|[^'])*' | "(?:""|[^"])*"
                | \$(?P<tag>\w*)\$.*?\$(?P=tag)\$ )
    | (?P<end> ; )
    | (?P<other> [eE](?!') | [^-/eE'"$;]+ | . )
    """,
    re.VERBOSE | re.DOTALL,
)

#: Said when a table or view is not there, or not this login's to read.
HINT = f"The views are {', '.join(PUBLIC_VIEWS)}."

#: Statements that a cursor can be declared for; others (EXPLAIN, SHOW) have small results.
_ROWS = re.compile(r"\(*\s*(select|with|values|table)\b", re.IGNORECASE)

#: Statements that change something; Postgres may have another objection, and a hint that leads further astray.
_CHANGES = re.compile(
    r"(insert|update|delete|merge|truncate|create|alter|drop|grant|revoke|comment|copy|refresh|reindex|vacuum)\b",
    re.IGNORECASE,
)
#: Said when a statement would change something.
WRITING = (
    "To change data, use psql with the owner's login: TENOR_OWNER_URL, or for the embedded server what secrets.json "
    "in TENOR_HOME says."
)


class QueryFailed(TenorError):
    """Postgres refused a statement."""

    code = "query_failed"


@dataclass(frozen=True, slots=True)
class Result:
    """Column names, and rows that are fetched while they are read (once)."""

    columns: tuple[str, ...]
    rows: Iterator[tuple[Any, ...]]


def statements(sql: str) -> list[str]:
    """The statements of a text, without comments; semicolons in quotes end nothing."""
    found, current = [], ""
    for token in _TOKEN.finditer(sql):
        if token["end"]:
            found.append(current)
            current = ""
        else:
            current += " " if token["comment"] else token[0]
    found.append(current)
    return [statement.strip() for statement in found if statement.strip()]


def first(text: str) -> str:
    """The first statement of a text, without comments."""
    return next(iter(statements(text)), "")


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
def run_sql(url: str, sql: str) -> Iterator[Result]:
    """Run one statement in a read-only transaction that is rolled back at the end.

    Raises `QueryFailed` for a statement that Postgres refuses, also while the rows are read, and
    `DatabaseUnavailable`.
    """
    given = statements(sql)
    if len(given) != 1:
        raise QueryFailed(
            "the query is empty" if not given else f"the text holds {len(given)} statements",
            hint="Give one statement, as an argument or on standard input with `tenor sql -`.",
        )
    engine = make_engine(url)
    with reading(engine) as pooled:
        connection = pooled.connection.driver_connection
        assert isinstance(connection, psycopg2.extensions.connection)
        try:
            with _refusals(sql):
                yield from _results(connection, sql, streams=_ROWS.match(given[0]) is not None)
        except BaseException:
            # In the middle of a statement a connection cannot even roll back; closing it does.
            pooled.invalidate()
            raise


def _results(connection: psycopg2.extensions.connection, sql: str, *, streams: bool) -> Iterator[Result]:
    """The one result, while its cursor is open."""
    connection.rollback()
    connection.set_session(readonly=True, autocommit=False)
    with connection.cursor() as settings:
        # The planner takes a cursor's first tenth for enough; all rows are read here.
        settings.execute("SET LOCAL cursor_tuple_fraction = 1.0")
    cursor = connection.cursor("tenor_sql" if streams else None)
    # The text itself runs, not the copy without comments, so that positions in error messages are the user's.
    cursor.execute(sql)
    head = cursor.fetchmany(FETCH) if streams or cursor.description is not None else []
    columns = tuple(column.name for column in cursor.description or ())
    yield Result(columns, _rows(head, cursor, sql))


def _rows(head: list[tuple[Any, ...]], cursor: Any, sql: str) -> Iterator[tuple[Any, ...]]:
    while head:
        yield from head
        with _refusals(sql):
            head = cursor.fetchmany(FETCH)


@contextmanager
def _refusals(sql: str) -> Iterator[None]:
    """Turn an error of Postgres or its driver into one sentence."""
    try:
        yield
    except psycopg2.Error as exc:
        raise _refusal(exc, sql) from exc
    except ValueError as exc:
        if "NUL" not in str(exc):
            raise
        raise QueryFailed("the query holds a NUL character") from exc


def _refusal(exc: psycopg2.Error, sql: str) -> TenorError:
    code = exc.pgcode or ""
    message = (exc.diag.message_primary or str(exc).strip().splitlines()[0]) if str(exc) else type(exc).__name__
    if code == "25006" or (code == "0A000" and "data-modifying" in message) or _CHANGES.match(first(sql)):
        return QueryFailed(f"{message}; tenor sql only reads", hint=WRITING)
    if code == "57014" and "timeout" in message:
        return QueryFailed(
            f"{message}: it took longer than this login allows",
            hint="Narrow it (job_id, recording), or raise statement_timeout for the login.",
        )
    if not code:
        return QueryFailed(f"the connection to the database broke: {message}", hint="Run the query again.")
    hint = HINT if code in {"42P01", "42501"} else exc.diag.message_hint
    where = _place(sql, exc.diag.statement_position)
    return QueryFailed(f"{message}{where}", hint=hint)


def _place(sql: str, position: str | None) -> str:
    """Line and column of an error; Postgres counts from 1, and the cursor declaration before the text."""
    if position is None:
        return ""
    declared = 'DECLARE "tenor_sql" CURSOR WITHOUT HOLD FOR '
    offset = int(position) - 1
    if _ROWS.match(first(sql)):
        offset -= len(declared)
    if not 0 <= offset <= len(sql):
        return ""
    line = sql.count("\n", 0, offset) + 1
    column = offset - (sql.rfind("\n", 0, offset) + 1) + 1
    return f" (line {line}, column {column})"
