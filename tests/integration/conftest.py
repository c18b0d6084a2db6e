"""A real Postgres for tests: one throwaway cluster per run, a fresh migrated database per test.

`TENOR_TEST_POSTGRES_URL` (a login that may create databases and roles) replaces the cluster by a server that is there.
"""

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import make_url, text

from db.engine import make_engine
from db.migrate import upgrade
from db.roles import ANALYST, WRITER, create_login
from ops.local.home import free_port
from ops.local.postgres import Postgres
from tests.integration.one_call import call  # noqa: F401 - a fixture of several modules
from tests.integration.planting import Plant
from tests.integration.walking import calls, walker  # noqa: F401 - fixtures of several modules

#: Nothing in a test's database has to survive a power cut.
FAST = ("-c fsync=off", "-c synchronous_commit=off", "-c full_page_writes=off", "-c autovacuum=off")


@dataclass(frozen=True)
class Server:
    """A running Postgres, seen with the eyes of its administrator."""

    admin_url: str
    mark: str
    password: str

    def url(self, database: str, login: str | None = None) -> str:
        """A database of this server for a login, or for the administrator."""
        url = make_url(self.admin_url).set(drivername="postgresql+psycopg2", database=database)
        if login is not None:
            url = url.set(username=login, password=self.password)
        return url.render_as_string(hide_password=False)

    def run(self, *statements: str) -> None:
        """Run statements that take no transaction around them."""
        admin = make_engine(self.admin_url)
        with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
            for statement in statements:
                conn.execute(text(statement))

    def create_database(self, template: str | None = None) -> str:
        """Make a database, empty or a copy; returns its name."""
        name = f"{self.mark}_{secrets.token_hex(4)}"
        self.run(f"CREATE DATABASE {name}" + (f" TEMPLATE {template}" if template else ""))
        return name

    def drop_database(self, name: str) -> None:
        """Drop a database, whoever is still connected."""
        self.run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    @property
    def worker(self) -> str:
        """The login that workers have."""
        return f"{self.mark}_worker"

    @property
    def reader(self) -> str:
        """The login that analysts have."""
        return f"{self.mark}_reader"


def _cluster(folder: Path) -> Iterator[str]:
    # Postgres runs as somebody else when we are root, who must be able to pass through.
    folder.chmod(0o755)
    postgres = Postgres(folder / "data")
    password, port = secrets.token_hex(8), free_port()
    postgres.initialise("tenor_owner", password)
    try:
        postgres.start(port, *FAST)
        yield f"postgresql+psycopg2://tenor_owner:{password}@127.0.0.1:{port}/postgres"
    finally:
        postgres.stop()


@pytest.fixture(scope="session")
def admin_url() -> Iterator[str]:
    """A server to test on."""
    if given := os.environ.get("TENOR_TEST_POSTGRES_URL"):
        yield given
        return
    folder = Path(tempfile.mkdtemp(prefix="tenor-pg-"))
    try:
        yield from _cluster(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def server(admin_url: str) -> Iterator[Server]:
    """The server with a worker's and an analyst's login of this run."""
    made = Server(admin_url, f"tenor_test_{secrets.token_hex(3)}", secrets.token_hex(8))
    with make_engine(made.url("postgres")).begin() as conn:
        for role in (WRITER, ANALYST):
            if not conn.execute(text("SELECT 1 FROM pg_roles WHERE rolname = :r"), {"r": role}).scalar():
                conn.execute(text(f"CREATE ROLE {role} NOLOGIN"))
        create_login(conn, made.worker, made.password, WRITER)
        create_login(conn, made.reader, made.password, ANALYST)
    yield made
    made.run(f"DROP ROLE {made.worker}", f"DROP ROLE {made.reader}")


@pytest.fixture(scope="session")
def template(server: Server) -> Iterator[str]:
    """A migrated database that nobody connects to, copied for each test."""
    name = server.create_database()
    upgrade(server.url(name))
    yield name
    server.drop_database(name)


@pytest.fixture
def empty_database(server: Server) -> Iterator[str]:
    """The administrator's URL of a database with nothing in it."""
    name = server.create_database()
    yield server.url(name)
    server.drop_database(name)


@pytest.fixture
def database(server: Server, template: str) -> Iterator[str]:
    """The name of a migrated database of this test's own."""
    name = server.create_database(template)
    yield name
    server.drop_database(name)


@pytest.fixture
def database_url(server: Server, database: str) -> str:
    """The test's database as workers see it."""
    return server.url(database, server.worker)


@pytest.fixture
def owner_url(server: Server, database: str) -> str:
    """The test's database as its owner sees it."""
    return server.url(database)


@pytest.fixture
def analyst_url(server: Server, database: str) -> str:
    """The test's database as analysts see it."""
    return server.url(database, server.reader)


@pytest.fixture
def plant(database_url: str) -> Iterator[Plant]:
    """As workers write, in one transaction that is committed only where a test says so."""
    with make_engine(database_url).connect() as conn:
        yield Plant(conn)
