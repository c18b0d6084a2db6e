"""Bringing a database to the schema that this version of the code needs; safe when several processes start at once.

Migrations (Alembic) change tables. Views and grants are not history: they are dropped before and created after every
migration from `db/views`, so there is one place to read them. All of it is one transaction: an upgrade that fails
leaves the old schema with its old views.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import OperationalError, ProgrammingError

from db.engine import is_connection_problem, make_engine, place, unavailable
from db.errors import DatabaseBusy, DatabaseTooOld, SchemaOutdated
from db.roles import ensure_roles, grant_all

#: In order of dependence; the first is not for analysts.
VIEWS = (
    "current_recording_scores",
    "utterance_emotions",
    "job_emotions",
    "conversation_emotions",
    "speaker_emotions",
    "emotion_timeline",
    "emotion_shifts",
    "conversation_dynamics",
    "labelled_utterances",
    "label_imports",
    "job_progress",
    "stage_backlog",
    "stage_moves",
    "work_in_hand",
    "failed_recordings",
    "champions",
    "retraining",
    "model_quality",
)
PUBLIC_VIEWS = VIEWS[1:]
#: NULLS NOT DISTINCT, and no CREATE in the schema public for everybody.
OLDEST_SERVER = 15
_VIEW_FILES = Path(__file__).parent / "views"
_MIGRATIONS = Path(__file__).parent.parent / "migrations"
#: Any number; all processes that migrate a database take this advisory lock of it.
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


def is_known(revision: str) -> bool:
    """True for a revision that this version of the code can migrate from."""
    return any(script.revision == revision for script in ScriptDirectory.from_config(config()).walk_revisions())


def current(engine: Engine) -> str | None:
    """The revision a database is at, None before the first; raises `DatabaseUnavailable`."""
    try:
        with engine.connect() as conn:
            return revision_of(conn)
    except (OperationalError, ProgrammingError) as exc:
        if is_connection_problem(exc):
            raise unavailable(engine, exc) from exc
        raise


def is_current(engine: Engine) -> bool:
    """True when neither tables nor views of the database are of another version; raises `DatabaseUnavailable`."""
    if current(engine) != head():
        return False
    with engine.connect() as conn:
        return _views_mark(conn) == _mark()


def check(engine: Engine) -> None:
    """Raise `SchemaOutdated` unless the database is at this version's revision."""
    found, wanted = current(engine), head()
    if found != wanted:
        raise SchemaOutdated(f"the database is at revision {found or 'none'}, this version of Tenor needs {wanted}")


def upgrade(url: str, revision: str = "head") -> None:
    """Migrate with the owner's login; the second of two callers waits and finds the work done.

    Raises `DatabaseUnavailable`, `DatabaseTooOld`, `RolesMissing`, or `DatabaseBusy` when a lock is not to be had.
    """
    with _migrating(url) as conn:
        ensure_roles(conn)
    with _migrating(url) as conn:
        if revision == "head" and revision_of(conn) == head() and _views_mark(conn) == _mark():
            return
        _drop_views(conn)
        command.upgrade(config(conn), revision)
        if revision_of(conn) == head():
            _create_views(conn)
            grant_all(conn, VIEWS, PUBLIC_VIEWS)


def downgrade(url: str, revision: str) -> None:
    """Go back to a revision; views are created again by the next upgrade."""
    with _migrating(url) as conn:
        _drop_views(conn)
        command.downgrade(config(conn), revision)


@contextmanager
def _migrating(url: str) -> Iterator[Connection]:
    """One transaction that no other migration of this database runs beside."""
    engine = make_engine(url)
    try:
        with engine.begin() as conn:
            version = int((conn.dialect.server_version_info or (0,))[0])
            if version < OLDEST_SERVER:
                raise DatabaseTooOld(f"Postgres at {place(url)} is version {version}")
            conn.execute(text("SELECT pg_advisory_xact_lock(:k)"), {"k": _LOCK})
            # A migration that cannot get its lock soon must not make everybody else wait behind it.
            conn.execute(text("SET LOCAL lock_timeout = '4s'"))
            conn.execute(text("SET LOCAL statement_timeout = '60s'"))
            yield conn
    except OperationalError as exc:
        if is_connection_problem(exc):
            raise unavailable(engine, exc) from exc
        if getattr(exc.orig, "pgcode", None) in {"55P03", "57014"}:
            raise DatabaseBusy("the database could not be migrated while others work on it") from exc
        raise
    finally:
        engine.dispose()


def revision_of(conn: Connection) -> str | None:
    """The revision of a connection's database, None before the first."""
    if not conn.execute(text("SELECT to_regclass('public.alembic_version')")).scalar():
        return None
    return conn.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _view_sql(view: str) -> str:
    return (_VIEW_FILES / f"{view}.sql").read_text(encoding="utf-8")


def _mark() -> str:
    """Names the present contents of the view files."""
    return "views " + hashlib.sha256("".join(map(_view_sql, VIEWS)).encode()).hexdigest()[:16]


def _views_mark(conn: Connection) -> str | None:
    """The mark that the database's views were made with; None when one of them is missing."""
    found = conn.execute(
        text("""
            SELECT bool_and(to_regclass('public.' || name) IS NOT NULL),
                   obj_description(to_regclass('public.' || :first), 'pg_class')
              FROM unnest(CAST(:names AS text[])) AS name
        """),
        {"first": VIEWS[0], "names": list(VIEWS)},
    ).one()
    return str(found[1]).rpartition("; ")[2] if found[0] else None


def _drop_views(conn: Connection) -> None:
    for view in reversed(VIEWS):
        conn.execute(text(f"DROP VIEW IF EXISTS {view}"))


def _create_views(conn: Connection) -> None:
    for view in VIEWS:
        cursor = conn.connection.cursor()
        try:
            cursor.execute(_view_sql(view))
        finally:
            cursor.close()
    conn.execute(text(f"COMMENT ON VIEW {VIEWS[0]} IS 'internal: what a file shows; {_mark()}'"))
