"""Who may do what: workers write and change no schema, analysts read the views and nothing else."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from db.engine import make_engine
from db.migrate import PUBLIC_VIEWS, VIEWS, upgrade
from db.roles import ANALYST, WRITER, create_login, grant_all
from db.tables import Base
from tests.integration.conftest import Server

READ_ONLY, NO_RIGHT = "25006", "42501"


@contextmanager
def refused(conn: Connection, code: str) -> Iterator[None]:
    """The statement in the block fails with this SQLSTATE."""
    with pytest.raises(DBAPIError) as said, conn.begin_nested():
        yield
    assert getattr(said.value.orig, "pgcode", None) == code, said.value


@pytest.fixture
def analyst(analyst_url: str) -> Iterator[Connection]:
    with make_engine(analyst_url).connect() as conn:
        yield conn


@pytest.fixture
def writer(database_url: str) -> Iterator[Connection]:
    with make_engine(database_url).connect() as conn:
        yield conn


def test_an_analyst_reads_every_public_view(analyst: Connection) -> None:
    for view in PUBLIC_VIEWS:
        # One says how much is open, which is a row also where nothing is.
        assert analyst.execute(text(f"SELECT count(*) FROM {view}")).scalar() == (view == "work_in_hand")


def test_an_analyst_reads_the_comments(analyst: Connection) -> None:
    about = analyst.execute(text("SELECT obj_description('utterance_emotions'::regclass)")).scalar()
    assert about == "who felt what, when: one row per utterance and profile; of files that were deleted since, too"


def test_an_analyst_reads_no_table_and_no_internal_view(analyst: Connection) -> None:
    for name in [*Base.metadata.tables, "alembic_version", *(set(VIEWS) - set(PUBLIC_VIEWS))]:
        with refused(analyst, NO_RIGHT):
            analyst.execute(text(f"SELECT * FROM {name}"))


def test_an_analyst_reads_no_partition(owner_url: str, analyst: Connection) -> None:
    with make_engine(owner_url).begin() as conn:
        partition(conn)
    with refused(analyst, NO_RIGHT):
        analyst.execute(text("SELECT * FROM scores_v1"))


def test_an_analyst_writes_nothing_even_after_asking_for_it(analyst: Connection) -> None:
    # Given the setting that makes an analyst's transactions read-only
    with refused(analyst, READ_ONLY):
        analyst.execute(text("CREATE TABLE mine (x int)"))
    analyst.rollback()

    # When the analyst switches it off
    analyst.execute(text("SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE"))
    analyst.commit()

    # Then there is still no right to anything
    for statement in (
        "INSERT INTO archives (url) VALUES ('x')",
        "DELETE FROM stages",
        "TRUNCATE scores",
        "CREATE TABLE mine (x int)",
        "SELECT add_profile_version_partition(1)",
    ):
        with refused(analyst, NO_RIGHT):
            analyst.execute(text(statement))


def test_an_analysts_statement_ends_after_a_minute(analyst: Connection) -> None:
    assert analyst.execute(text("SHOW statement_timeout")).scalar() == "1min"


def test_a_worker_reads_and_writes_every_table(writer: Connection) -> None:
    for name in Base.metadata.tables:
        may = "SELECT bool_and(has_table_privilege(:t, p)) FROM unnest('{select,insert,update,delete}'::text[]) p"
        assert writer.execute(text(may), {"t": name}).scalar() is True, name
    # Identity columns count without a right to their sequences.
    assert writer.execute(text("INSERT INTO archives (url) VALUES ('x') RETURNING id")).scalar() == 1
    for view in VIEWS:
        writer.execute(text(f"SELECT * FROM {view}"))


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE mine (x int)",
        "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "ALTER TABLE archives ADD COLUMN mine int",
        "DROP TABLE events",
        "DROP VIEW job_progress",
        "TRUNCATE archives",
        "CREATE INDEX ON archives (created_at)",
        "ALTER TABLE scores DETACH PARTITION scores_v1",
        "DROP TABLE scores_v1",
        "ALTER TABLE stages DISABLE TRIGGER ALL",
        "CREATE ROLE mine",
        "UPDATE alembic_version SET version_num = 'x'",
    ],
)
def test_a_worker_changes_no_schema(owner_url: str, writer: Connection, statement: str) -> None:
    with make_engine(owner_url).begin() as conn:
        partition(conn)
    with refused(writer, NO_RIGHT):
        writer.execute(text(statement))


def partition(conn: Connection) -> None:
    """The scores of a first profile version."""
    conn.execute(text("INSERT INTO profiles (name) VALUES ('mini')"))
    conn.execute(
        text(
            "INSERT INTO profile_versions (profile_id, version, fingerprint, spec, label_set) VALUES (1,1,'','{}','{}')"
        )
    )
    conn.execute(text("SELECT add_profile_version_partition(1)"))


def test_rights_can_be_granted_again(owner_url: str) -> None:
    with make_engine(owner_url).begin() as conn:
        grant_all(conn, VIEWS, PUBLIC_VIEWS)


def test_an_owner_without_superuser_rights_can_migrate_and_workers_can_work(server: Server) -> None:
    # Given a managed Postgres: an owner who may create neither roles nor databases, in a database with an awkward name
    owner, name = f"{server.mark}_owner", f"{server.mark} it's"
    server.run(f"CREATE ROLE {owner} LOGIN PASSWORD '{server.password}'", f'CREATE DATABASE "{name}" OWNER {owner}')
    try:
        # When the owner migrates
        upgrade(server.url(name, owner))

        # Then a worker makes partitions with the owner's rights, and an analyst reads
        with make_engine(server.url(name, server.worker)).begin() as conn:
            partition(conn)
            conn.execute(
                text(
                    "INSERT INTO scores_v1 (profile_version_id, alignment_id, utterance_no, batch_id) VALUES (1,1,1,1)"
                )
            )
            assert conn.execute(text("SELECT count(*) FROM scores")).scalar() == 1
            made_by = conn.execute(text("SELECT tableowner FROM pg_tables WHERE tablename = 'scores_v1'")).scalar()
            assert made_by == owner
        with make_engine(server.url(name, server.reader)).connect() as conn:
            conn.execute(text("SELECT * FROM utterance_emotions"))
    finally:
        server.run(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)', f"DROP ROLE {owner}")


def test_a_login_is_updated_when_it_is_there(server: Server) -> None:
    name = f"{server.mark}_changing"
    admin = make_engine(server.url("postgres"))
    try:
        for password in ("first", 'it\'s "quoted" \\ 100%'):
            with admin.begin() as conn:
                create_login(conn, name, password, ANALYST)
            url = make_engine(server.url("postgres", name)).url.set(password=password)
            with make_engine(url.render_as_string(hide_password=False)).connect() as conn:
                assert conn.execute(text("SELECT current_user")).scalar() == name
                assert conn.execute(text("SHOW default_transaction_read_only")).scalar() == "on"
    finally:
        server.run(f"DROP ROLE {name}")


@pytest.mark.parametrize(
    ("name", "role"), [('x"; DROP ROLE y', WRITER), ("Ann", ANALYST), ("ann", "postgres"), ("", WRITER)]
)
def test_awkward_login_names_and_other_roles_are_refused(owner_url: str, name: str, role: str) -> None:
    with make_engine(owner_url).connect() as conn, pytest.raises(ValueError, match="not a usable login name or role"):
        create_login(conn, name, "p", role)
