"""Bringing a database to the schema that this version of the code needs; safe when several processes start at once.

Migrations (Alembic) change tables. Views and grants are not history: they are dropped before and created after every
migration from `db/views`, so there is one place to read them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import OperationalError, ProgrammingError

from db.engine import is_connection_problem, make_engine, unavailable
from db.errors import SchemaOutdated
from db.roles import ensure_roles, grant_all

#: In order of dependence; the first is not for analysts.
VIEWS = (
    "current_recording_scores",
    "utterance_emotions",
    "job_emotions",
    "conversation_emotions",
    "speaker_emotions",
    "emotion_timeline",
    "job_progress",
    "stage_backlog",
)
_VIEW_FILES = Path(__file__).parent / "views"
_MIGRATIONS = Path(__file__).parent.parent / "migrations"
#: Any number; all processes that migrate take this advisory lock.
_LOCK = 7_367_001


def config(connection: Connection | None = None) -> Config:
    """Alembic's configuration, made in code so that no path or URL stands in a file."""
    made = Config()
    made.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    made.set_main_option("path_separator", "os")
    made.attributes["connection"] = connection
    return made


def head() -> str:
    """The newest revision there is."""
    return str(ScriptDirectory.from_config(config()).get_current_head())


def current(engine: Engine) -> str | None:
    """The revision a database is at, None before the first; raises `DatabaseUnavailable`."""
    try:
        with engine.connect() as conn:
            if not conn.execute(text("SELECT to_regclass('public.alembic_version')")).scalar():
                return None
            return conn.execute(text("SELECT version_num FROM alembic_version")).scalar()
    except (OperationalError, ProgrammingError) as exc:
        if is_connection_problem(exc):
            raise unavailable(engine) from exc
        raise


def check(engine: Engine) -> None:
    """Raise `SchemaOutdated` unless the database is at this version's revision."""
    found, wanted = current(engine), head()
    if found != wanted:
        raise SchemaOutdated(f"the database is at revision {found or 'none'}, this version of Tenor needs {wanted}")


@contextmanager
def _migrating(url: str) -> Iterator[Connection]:
    engine = make_engine(url)
    try:
        with engine.connect() as conn:
            conn.execute(text("SELECT pg_advisory_lock(:k)"), {"k": _LOCK})
            conn.commit()
            yield conn
    except OperationalError as exc:
        if is_connection_problem(exc):
            raise unavailable(engine) from exc
        raise
    finally:
        engine.dispose()


def upgrade(url: str, revision: str = "head") -> None:
    """Migrate with the owner's login; the second of two callers waits and finds the work done."""
    with _migrating(url) as conn:
        ensure_roles(conn)
        _drop_views(conn)
        conn.commit()
        command.upgrade(config(conn), revision)
        if revision == "head":
            _create_views(conn)
            grant_all(conn, VIEWS[1:])
            conn.commit()


def downgrade(url: str, revision: str) -> None:
    """Go back to a revision; views are created again by the next upgrade."""
    with _migrating(url) as conn:
        _drop_views(conn)
        conn.commit()
        command.downgrade(config(conn), revision)


def _drop_views(conn: Connection) -> None:
    conn.execute(text("SET LOCAL lock_timeout = '4s'"))
    for view in reversed(VIEWS):
        conn.execute(text(f"DROP VIEW IF EXISTS {view}"))


def _create_views(conn: Connection) -> None:
    for view in VIEWS:
        raw = conn.connection.cursor()
        try:
            raw.execute((_VIEW_FILES / f"{view}.sql").read_text(encoding="utf-8"))
        finally:
            raw.close()
