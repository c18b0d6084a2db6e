"""Engines: how connections introduce themselves, and what is said when there are none."""

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.exc import OperationalError, ProgrammingError

from db.engine import is_connection_problem, make_engine, reading
from db.errors import DatabaseUnavailable
from tests.integration.conftest import Server

NOBODY = "postgresql+psycopg2://tenor:s3cret@127.0.0.1:1/calls"


@pytest.mark.parametrize("pooled", [False, True])
def test_a_refused_connection_names_the_place_and_what_to_do_but_no_password(pooled: bool) -> None:
    with pytest.raises(DatabaseUnavailable) as said, reading(make_engine(NOBODY, pooled=pooled)):
        pass

    assert str(said.value) == "Postgres at 127.0.0.1:1/calls does not answer"
    assert "TENOR_DATABASE_URL" in said.value.hint
    assert "s3cret" not in str(said.value) + said.value.hint


def test_a_host_that_does_not_exist_is_named() -> None:
    url = "postgresql://tenor:s3cret@no-such-host.invalid/calls"

    with pytest.raises(DatabaseUnavailable, match=r"no-such-host\.invalid:5432/calls"), reading(make_engine(url)):
        pass


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg2"])
def test_every_spelling_of_a_postgres_url_connects(database_url: str, scheme: str) -> None:
    url = scheme + database_url[database_url.index("://") :]

    with reading(make_engine(url)) as conn:
        assert conn.execute(text("SELECT 1")).scalar() == 1


def test_connections_say_which_program_they_belong_to(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGAPPNAME", "tenor/align")

    with reading(make_engine(database_url)) as conn:
        assert str(conn.execute(text("SHOW application_name")).scalar()).startswith("tenor/align@")


def test_a_pooled_engine_notices_that_its_connection_was_cut(server: Server, database_url: str) -> None:
    # Given a connection at rest in the pool
    engine = make_engine(database_url, pooled=True)
    with engine.connect() as conn:
        pid = conn.execute(text("SELECT pg_backend_pid()")).scalar()

    # When Postgres cuts it
    server.run(f"SELECT pg_terminate_backend({pid})")

    # Then the next one to ask gets another
    with engine.connect() as conn:
        assert conn.execute(text("SELECT pg_backend_pid()")).scalar() != pid
    engine.dispose()


def test_only_a_lost_connection_counts_as_one(server: Server, database_url: str) -> None:
    with make_engine(database_url).connect() as conn:
        with pytest.raises(ProgrammingError) as wrong:
            conn.execute(text("SELECT nothing"))
        conn.rollback()
        conn.execute(text("SET statement_timeout = 20"))
        with pytest.raises(OperationalError) as slow:
            conn.execute(text("SELECT pg_sleep(5)"))
        conn.rollback()
        server.run(f"SELECT pg_terminate_backend({conn.execute(text('SELECT pg_backend_pid()')).scalar()})")
        with pytest.raises(OperationalError) as cut:
            conn.execute(text("SELECT 1"))

    found = [is_connection_problem(said.value) for said in (wrong, slow, cut)]
    assert found == [False, False, True]


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"password": "s3cret"}, "does not accept this login and password"),
        ({"database": "nowhere"}, "has no such database or login"),
    ],
)
def test_a_refusal_says_what_was_wrong_without_the_password(
    database_url: str, wrong: dict[str, str], reason: str
) -> None:
    url = make_url(database_url).set(**wrong)  # type: ignore[arg-type]

    with pytest.raises(DatabaseUnavailable) as said, reading(make_engine(url.render_as_string(hide_password=False))):
        pass

    assert str(said.value) == f"Postgres at {url.host}:{url.port}/{url.database} {reason}"
    assert str(url.password) not in str(said.value)
