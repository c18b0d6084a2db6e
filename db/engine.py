"""Engines with the settings that every process of Tenor uses."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import NullPool

from db.errors import DatabaseUnavailable

#: What a server says in English when it refuses a connection → what is wrong. The driver gives no code for these.
_REASONS = {
    "authentication failed": "does not accept this login and password",
    "no pg_hba.conf entry": "lets this login in from elsewhere only",
    "does not exist": "has no such database or login",
    "too many": "has no connection left",
    "starting up": "is still starting",
    "shutting down": "is shutting down",
}


def make_engine(url: str, *, pooled: bool = False) -> Engine:
    """An engine for a Postgres URL, always with psycopg2; it connects when first used.

    `pooled` keeps a few connections for a worker process, tested before use so that a restarted Postgres is noticed;
    otherwise every connection is closed after use.
    """
    arguments = {
        "connect_timeout": 5,
        "application_name": f"{os.environ.get('PGAPPNAME', 'tenor/cli')}@{socket.gethostname()}"[:63],
        # A line that went dead without a word is noticed within a lease.
        "keepalives_idle": 20,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        "tcp_user_timeout": 50_000,
    }
    address = make_url(url).set(drivername="postgresql+psycopg2")
    # Parameters hold what was said in recordings; errors end in logs.
    common: dict[str, Any] = {"connect_args": arguments, "hide_parameters": True}
    if pooled:
        return create_engine(address, pool_size=2, max_overflow=4, pool_pre_ping=True, **common)
    return create_engine(address, poolclass=NullPool, **common)


def libpq_url(url: str) -> str:
    """A URL as psql and other programs take it; it holds the password."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def place(url: str) -> str:
    """host:port/database of a URL, without its password."""
    parsed = make_url(url)
    return f"{parsed.host or 'localhost'}:{parsed.port or 5432}/{parsed.database}"


def is_connection_problem(exc: BaseException) -> bool:
    """True for an error that says nothing about the statement: the server is away, starting, or cut the line.

    Takes SQLAlchemy's errors and, since COPY goes past it, the driver's own.
    """
    if isinstance(exc, DBAPIError) and exc.connection_invalidated:
        return True
    cause = exc.orig if isinstance(exc, DBAPIError) else exc
    if isinstance(cause, psycopg2.InterfaceError):
        return "closed" in str(cause)
    if not isinstance(cause, psycopg2.OperationalError | psycopg2.DatabaseError):
        return False
    code = cause.pgcode
    if code is None:
        # The line broke while libpq waited; the plain base class is what COPY raises then.
        return isinstance(cause, psycopg2.OperationalError) or type(cause) is psycopg2.DatabaseError
    return code.startswith(("08", "57P")) or code == "53300"


def is_passing(exc: BaseException) -> bool:
    """True when the same again may succeed later: no connection, a deadlock or conflict resolved, a full disk."""
    code = getattr(getattr(exc, "orig", exc), "pgcode", None)
    return is_connection_problem(exc) or code in {"40001", "40P01", "55P03", "53100", "53200"}


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection for one look; raises `DatabaseUnavailable`, which names the place and not the password."""
    try:
        with engine.connect() as connection:
            yield connection
    except OperationalError as exc:
        if is_connection_problem(exc):
            raise unavailable(engine, exc) from exc
        raise


def unavailable(engine: Engine, exc: BaseException) -> DatabaseUnavailable:
    """The named error for an engine that gets no connection, from the error that said so."""
    said = str(getattr(exc, "orig", exc))
    reason = next((reason for sign, reason in _REASONS.items() if sign in said), "does not answer")
    return DatabaseUnavailable(f"Postgres at {place(engine.url.render_as_string(hide_password=True))} {reason}")
