"""A home made anew where another one was."""

import hashlib
import json
import os
import shutil
import signal
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
from sqlalchemy import text

from db.engine import make_engine
from ops.local import home as homes
from ops.local import processes, services
from ops.local.postgres import Postgres
from ops.local.servers import postgres_of
from workers.settings import Settings

STARTED: list[Postgres] = []


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A path to a home in a folder that others may not enter, so that root's database has to lie elsewhere."""
    tmp_path.chmod(0o700)
    home = tmp_path / "a home"
    yield home
    services.down(Settings(home=home))
    for postgres in STARTED:
        postgres.stop("immediate")
        shutil.rmtree(postgres.data, ignore_errors=True)
    STARTED.clear()


def up(home: Path) -> services.Services:
    found = services.up(Settings(home=home), workers=False)
    STARTED.append(postgres_of(home))
    return found


def archives(found: services.Services) -> int:
    engine = make_engine(found.owner_url)
    try:
        with engine.connect() as conn:
            return int(conn.execute(text("SELECT count(*) FROM archives")).scalar_one())
    finally:
        engine.dispose()


def test_a_home_deleted_while_it_runs_can_be_made_anew_at_the_same_path(home: Path) -> None:
    first = up(home)
    engine = make_engine(first.owner_url)
    with engine.begin() as conn:
        conn.execute(text("INSERT INTO archives (url) VALUES ('/a')"))
    engine.dispose()
    broker = processes.running(home / "run", "redis")
    shutil.rmtree(home)
    try:
        second = up(home)
        assert archives(second) == 0
        assert second.owner_url != first.owner_url
    finally:
        assert broker
        os.kill(broker, signal.SIGKILL)  # nothing else knows it any more


def test_a_home_finds_its_own_database_again(home: Path) -> None:
    first = up(home)
    data = postgres_of(home).data
    services.down(Settings(home=home))
    second = up(home)
    assert postgres_of(home).data == data
    assert archives(second) == 0
    assert second.owner_url.rpartition("@")[0] == first.owner_url.rpartition("@")[0]


def test_a_home_that_has_been_up_takes_up_the_data_folder_of_earlier_releases(home: Path) -> None:
    up(home)
    services.down(Settings(home=home))
    postgres = postgres_of(home)
    if postgres.data == postgres.folder:
        pytest.skip("only root's database lies outside of its home")
    named = postgres.data.parent / hashlib.sha256(str(postgres.folder).encode()).hexdigest()[:16]
    postgres.data.rename(named)
    postgres.folder.unlink()
    up(home)
    assert postgres_of(home).data == named


def test_a_password_that_was_taken_out_is_made_anew_and_the_others_stay(tmp_path: Path) -> None:
    homes.prepare(tmp_path)
    before = homes.read_secrets(tmp_path)
    noted = asdict(before)
    del noted["worker_password"], noted["redis_owner_password"]
    (tmp_path / "secrets.json").write_text(json.dumps(noted))

    after = homes.read_secrets(tmp_path)

    assert after.worker_password not in {before.worker_password, ""} and after.redis_owner_password
    assert after.owner_password == before.owner_password
    assert homes.read_secrets(tmp_path) == after
    assert (tmp_path / "secrets.json").stat().st_mode & 0o777 == 0o600
