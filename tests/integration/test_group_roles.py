"""The roles that logins belong to: made once for a server, by whoever may."""

import threading

import pytest
from sqlalchemy import text

from db import roles
from db.engine import make_engine
from db.errors import RolesMissing
from tests.integration.conftest import Server


@pytest.fixture
def other_roles(server: Server, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """Group roles that this server does not have yet."""
    names = (f"{server.mark}_w", f"{server.mark}_a")
    monkeypatch.setattr(roles, "WRITER", names[0])
    monkeypatch.setattr(roles, "ANALYST", names[1])
    yield names
    server.run(*(f"DROP ROLE IF EXISTS {name}" for name in names))


def test_a_login_that_may_not_create_roles_is_told_what_an_administrator_has_to_run(
    other_roles: tuple[str, str], database_url: str
) -> None:
    with make_engine(database_url).connect() as conn, pytest.raises(RolesMissing) as said:
        roles.ensure_roles(conn)

    assert other_roles[0] in str(said.value)
    assert "CREATE ROLE tenor_writer NOLOGIN; CREATE ROLE tenor_analyst NOLOGIN;" in said.value.hint


def test_roles_are_created_once_when_several_databases_of_a_server_ask_at_once(
    other_roles: tuple[str, str], server: Server
) -> None:
    # Given connections that all see no roles
    start, failures = threading.Barrier(4), []

    def ensure() -> None:
        try:
            with make_engine(server.url("postgres")).begin() as conn:
                conn.execute(text("SELECT 1"))
                start.wait()
                roles.ensure_roles(conn)
        except Exception as exc:
            failures.append(exc)

    threads = [threading.Thread(target=ensure) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    # Then
    assert failures == []
    with make_engine(server.url("postgres")).connect() as conn:
        made = conn.execute(
            text("SELECT rolname, rolcanlogin FROM pg_roles WHERE rolname = ANY(:n)"), {"n": list(other_roles)}
        ).all()
    assert sorted(made) == sorted((name, False) for name in other_roles)
