"""Back-ups on a real Postgres: what is in them, when they are refused, and that a failed restore changes nothing."""

import json
import shutil
from pathlib import Path

import pytest
from sqlalchemy import text

from db.engine import make_engine
from db.migrate import head, is_current
from ops import backup
from ops.backup import postgres
from ops.backup.errors import BackupFailed, BackupUnusable, RestoreFailed, RestoreRefused
from ops.local import home as homes
from tests.integration.conftest import Server
from tests.integration.walking import Walker
from workers.settings import Settings


@pytest.fixture
def settings(walker: Walker, calls: Path, owner_url: str) -> Settings:
    """A home with one walked archive in its database and a trained model."""
    walker.walk(calls)
    models = walker.settings.home / "models"
    (models / "mine").mkdir(parents=True)
    (models / "mine" / "bundle.json").write_text("{}")
    (models / "clips").mkdir()
    (models / "clips" / "voice.flac").write_text("somebody's voice")
    return walker.settings.model_copy(update={"owner_url": owner_url, "broker_url": "redis://127.0.0.1:9"})


@pytest.fixture
def elsewhere(server: Server, empty_database: str, tmp_path: Path) -> Settings:
    """An empty database and an empty home."""
    return Settings(
        home=tmp_path / "elsewhere", database_url=empty_database, owner_url=empty_database, broker_url="redis://x:9"
    )


@pytest.fixture
def made(settings: Settings, owner_url: str, tmp_path: Path) -> Path:
    homes.prepare(settings.home)
    homes.read_secrets(settings.home)
    return backup.make(settings, owner_url, tmp_path / "monday").place


def rows(url: str, sql: str) -> list[tuple[object, ...]]:
    with make_engine(url).connect() as conn:
        return [tuple(row) for row in conn.execute(text(sql))]


def test_what_was_there_is_there_elsewhere(made: Path, owner_url: str, elsewhere: Settings) -> None:
    assert elsewhere.owner_url is not None
    done = backup.restore(made, elsewhere)

    for table in ("archives", "archive_files", "recordings", "jobs", "stages", "profile_versions"):
        query = f"SELECT * FROM {table} ORDER BY 1"
        assert rows(elsewhere.owner_url, query) == rows(owner_url, query) != []
    assert is_current(make_engine(elsewhere.owner_url))
    # Numbers go on behind those that are taken.
    assert rows(elsewhere.owner_url, "INSERT INTO archives (url) VALUES ('/new') RETURNING id") == [(2,)]
    assert done.models == 1 and (elsewhere.models / "mine" / "bundle.json").read_text() == "{}"


def test_a_backup_holds_neither_passwords_nor_voices_unless_asked(
    made: Path, settings: Settings, owner_url: str, tmp_path: Path
) -> None:
    names = sorted(path.relative_to(made).as_posix() for path in made.rglob("*") if path.is_file())
    assert names == ["database.dump", "manifest.json", "models/mine/bundle.json"]
    assert made.stat().st_mode & 0o077 == 0

    asked = backup.make(settings, owner_url, tmp_path / "tuesday", with_secrets=True).place
    assert (asked / "secrets" / "secrets.json").exists()


def test_it_is_one_moment_however_much_is_written_meanwhile(
    settings: Settings, owner_url: str, tmp_path: Path, elsewhere: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given somebody who writes after the rows were counted and before they are dumped
    real = postgres.run

    def disturbed(program: str, *rest: object) -> str:
        if program == "pg_dump":
            with make_engine(owner_url).begin() as conn:
                conn.execute(text("INSERT INTO archives (url) VALUES ('/late')"))
        return real(program, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(postgres, "run", disturbed)
    done = backup.make(settings, owner_url, tmp_path / "b")
    backup.restore(done.place, elsewhere)

    assert elsewhere.owner_url is not None
    assert rows(elsewhere.owner_url, "SELECT count(*) FROM archives") == [(done.manifest.rows["archives"],)] == [(1,)]


def test_a_name_that_is_taken_and_a_place_that_cannot_be_written_are_refused(
    made: Path, settings: Settings, owner_url: str, tmp_path: Path
) -> None:
    with pytest.raises(BackupFailed, match="is there already"):
        backup.make(settings, owner_url, made)
    (tmp_path / "file").touch()
    with pytest.raises(BackupFailed, match="cannot be written"):
        backup.make(settings, owner_url, tmp_path / "file" / "b")
    with pytest.raises(BackupFailed, match="pg_dump ended"):
        postgres.run("pg_dump", ["--no-such-option"], owner_url, BackupFailed)
    assert not list(tmp_path.glob(".*partial*"))


def test_a_damaged_incomplete_or_newer_backup_is_refused(made: Path, elsewhere: Settings, tmp_path: Path) -> None:
    def copy(name: str) -> Path:
        return Path(shutil.copytree(made, tmp_path / name))

    damaged, incomplete, newer, outside = copy("damaged"), copy("incomplete"), copy("newer"), copy("outside")
    content = bytearray((damaged / "database.dump").read_bytes())
    content[len(content) // 2] ^= 1
    (damaged / "database.dump").write_bytes(content)
    (incomplete / "models" / "mine" / "bundle.json").unlink()
    said = json.loads((made / "manifest.json").read_text())
    (newer / "manifest.json").write_text(json.dumps(said | {"schema": "9999"}))
    (outside / "manifest.json").write_text(json.dumps(said | {"files": {"../../etc/passwd": ["x", 1]}}))

    for folder, sentence in (
        (damaged, "changed or damaged"),
        (incomplete, "cannot be read"),
        (newer, "newer version"),
        (outside, "outside of the back-up"),
        (tmp_path / "nothing", "is no back-up"),
    ):
        with pytest.raises(BackupUnusable, match=sentence):
            backup.restore(folder, elsewhere)
    assert elsewhere.owner_url is not None
    assert rows(elsewhere.owner_url, "SELECT to_regclass('public.archives')") == [(None,)]


def test_data_is_replaced_only_when_told_to(made: Path, settings: Settings, owner_url: str) -> None:
    with make_engine(owner_url).begin() as conn:
        conn.execute(text("INSERT INTO archives (url) VALUES ('/since')"))
    with pytest.raises(RestoreRefused, match="not empty"):
        backup.restore(made, settings)
    shutil.rmtree(settings.models)
    with pytest.raises(RestoreRefused, match="holds archives already"):
        backup.restore(made, settings)
    assert len(rows(owner_url, "SELECT FROM archives")) == 2

    backup.restore(made, settings, replace=True)

    assert len(rows(owner_url, "SELECT FROM archives")) == 1
    assert rows(owner_url, "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'tenor%'") == [(0,)]


def test_while_somebody_works_nothing_is_replaced(
    made: Path, settings: Settings, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGAPPNAME", "tenor/align")
    with make_engine(database_url).connect() as worker:
        worker.execute(text("SELECT 1"))
        with pytest.raises(RestoreRefused, match="tenor/align@"):
            backup.restore(made, settings, replace=True)


def test_a_restore_that_breaks_off_leaves_what_was_there(
    made: Path, settings: Settings, owner_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = rows(owner_url, "SELECT * FROM archive_files ORDER BY id")
    real = postgres.run

    def broken(program: str, arguments: list[str], *rest: object) -> str:
        if program == "pg_restore" and "--single-transaction" in arguments:
            real(program, arguments, *rest)  # type: ignore[arg-type]
            raise RestoreFailed("the disk is full")
        return real(program, arguments, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(postgres, "run", broken)
    with pytest.raises(RestoreFailed):
        backup.restore(made, settings, replace=True)

    assert rows(owner_url, "SELECT * FROM archive_files ORDER BY id") == before
    assert is_current(make_engine(owner_url))


def test_a_backup_of_an_older_schema_is_migrated(
    settings: Settings, owner_url: str, elsewhere: Settings, tmp_path: Path
) -> None:
    from db.migrate import downgrade

    downgrade(owner_url, "-1")
    made = backup.make(settings, owner_url, tmp_path / "old")
    assert made.manifest.schema != head()

    done = backup.restore(made.place, elsewhere)

    assert elsewhere.owner_url is not None
    assert done.schema == head() and is_current(make_engine(elsewhere.owner_url))
    assert len(rows(elsewhere.owner_url, "SELECT FROM archive_files")) == 3
