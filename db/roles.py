"""Who may do what: the owner migrates, `tenor_writer` works, `tenor_analyst` reads the views."""

import re

from sqlalchemy import Connection, text
from sqlalchemy.exc import ProgrammingError

from db.errors import RolesMissing

WRITER, ANALYST = "tenor_writer", "tenor_analyst"


def ensure_roles(conn: Connection) -> None:
    """Create both group roles unless they exist; raises `RolesMissing` where that is not allowed.

    Roles belong to the whole server, so two databases may do this at once.
    """
    for role in (WRITER, ANALYST):
        if conn.execute(text("SELECT 1 FROM pg_roles WHERE rolname = :r"), {"r": role}).scalar():
            continue
        try:
            conn.execute(
                text(f"""
                    DO $$ BEGIN CREATE ROLE {role} NOLOGIN;
                    EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$
                """)
            )
        except ProgrammingError as exc:
            raise RolesMissing(f"the role {role} does not exist and this login may not create it") from exc


def grant_all(conn: Connection, views: tuple[str, ...]) -> None:
    """Grant what each role needs on everything there is now; can be repeated."""
    database = conn.execute(text("SELECT current_database()")).scalar()
    for statement in (
        f'GRANT CONNECT, TEMPORARY ON DATABASE "{database}" TO {WRITER}',
        f'GRANT CONNECT ON DATABASE "{database}" TO {ANALYST}',
        f"GRANT USAGE ON SCHEMA public TO {WRITER}, {ANALYST}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {WRITER}",
        f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {WRITER}",
        f"REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM {WRITER}",
        "REVOKE ALL ON FUNCTION add_profile_version_partition(bigint) FROM PUBLIC",
        f"GRANT EXECUTE ON FUNCTION add_profile_version_partition(bigint) TO {WRITER}",
        *(f"GRANT SELECT ON {view} TO {ANALYST}" for view in views),
    ):
        conn.execute(text(statement))


def create_login(conn: Connection, name: str, password: str, role: str) -> None:
    """Create or update a login that has a group role; analysts' logins are read-only with a statement timeout."""
    if not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", name) or role not in (WRITER, ANALYST):
        raise ValueError(f"not a usable login name or role: {name}, {role}")
    exists = conn.execute(text("SELECT 1 FROM pg_roles WHERE rolname = :n"), {"n": name}).scalar()
    raw = conn.connection.cursor()
    try:
        raw.execute(f"{'ALTER' if exists else 'CREATE'} ROLE {name} LOGIN PASSWORD %s", (password,))
    finally:
        raw.close()
    conn.execute(text(f"GRANT {role} TO {name}"))
    if role == ANALYST:
        conn.execute(text(f"ALTER ROLE {name} SET default_transaction_read_only = on"))
        conn.execute(text(f"ALTER ROLE {name} SET statement_timeout = '60s'"))
