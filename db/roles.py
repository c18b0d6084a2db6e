"""Who may do what: the owner migrates, `tenor_writer` works, `tenor_analyst` reads the views.

Views are read with their owner's rights, so analysts need none on tables.
"""

import re
from collections.abc import Sequence

from sqlalchemy import Connection, text
from sqlalchemy.exc import ProgrammingError

from db.errors import RolesMissing
from db.tables import Base

WRITER, ANALYST = "tenor_writer", "tenor_analyst"


def ensure_roles(conn: Connection) -> None:
    """Create both group roles unless they exist; raises `RolesMissing` where that is not allowed.

    Roles belong to the whole server, so two databases may do this at once.
    """
    for role in (WRITER, ANALYST):
        if conn.execute(text("SELECT 1 FROM pg_roles WHERE rolname = :r"), {"r": role}).scalar():
            continue
        try:
            _create_role(conn, f"CREATE ROLE {role} NOLOGIN")
        except ProgrammingError as exc:
            raise RolesMissing(f"the role {role} does not exist and this login may not create it") from exc


def grant_all(conn: Connection, views: Sequence[str], public_views: Sequence[str]) -> None:
    """Grant what each role needs on Tenor's own tables and views; can be repeated."""
    name = conn.execute(text("SELECT current_database()")).scalar_one()
    database = conn.dialect.identifier_preparer.quote(name)
    function = "FUNCTION add_profile_version_partition(bigint)"
    for statement in (
        f"GRANT CONNECT, TEMPORARY ON DATABASE {database} TO {WRITER}",
        f"GRANT CONNECT ON DATABASE {database} TO {ANALYST}",
        f"GRANT USAGE ON SCHEMA public TO {WRITER}, {ANALYST}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON {', '.join(Base.metadata.tables)} TO {WRITER}",
        f"GRANT SELECT ON alembic_version, {', '.join(views)} TO {WRITER}",
        f"GRANT SELECT ON {', '.join(public_views)} TO {ANALYST}",
        f"REVOKE ALL ON {function} FROM PUBLIC",
        f"GRANT EXECUTE ON {function} TO {WRITER}",
    ):
        conn.execute(text(statement))


def create_login(conn: Connection, name: str, password: str, role: str) -> None:
    """Create or update a login that has a group role; analysts' logins are read-only with a statement timeout."""
    if not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", name) or role not in (WRITER, ANALYST):
        raise ValueError(f"not a usable login name or role: {name}, {role}")
    _create_role(conn, f'CREATE ROLE "{name}"')
    cursor = conn.connection.cursor()
    try:
        cursor.execute(f'ALTER ROLE "{name}" LOGIN PASSWORD %s', (password,))
    finally:
        cursor.close()
    conn.execute(text(f'GRANT {role} TO "{name}"'))
    if role == ANALYST:
        conn.execute(text(f'ALTER ROLE "{name}" SET default_transaction_read_only = on'))
        conn.execute(text(f"ALTER ROLE \"{name}\" SET statement_timeout = '60s'"))


def _create_role(conn: Connection, statement: str) -> None:
    """Create a role unless it exists, also when somebody else creates it at this moment."""
    conn.execute(
        text(f"DO $$ BEGIN {statement}; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$")
    )
