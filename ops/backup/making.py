"""Making a back-up while workers run: one moment of the database, and the models that it names."""

import json
import os
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from sqlalchemy import Connection, text

from db.engine import make_engine, reading
from db.migrate import revision_of
from ops.backup import manifest as manifests
from ops.backup import postgres
from ops.backup.errors import BackupFailed
from ops.backup.manifest import DATABASE, MODELS, SECRETS, Manifest
from workers.settings import Settings

#: Below the folder of models: what a retraining run cuts or computes again from recordings, and its half-done work.
_MADE_AGAIN = {"clips", "voices", "voices-heard", "runs"}
#: Files of TENOR_HOME with passwords in them.
_SECRET_FILES = ("secrets.json", "tenor.toml")
#: In TENOR_HOME: when the last back-up was made, for `tenor doctor`.
NOTED = "last_backup.json"


@dataclass(frozen=True, slots=True)
class Backup:
    """A back-up that was made and read back."""

    place: Path
    manifest: Manifest


def make(settings: Settings, owner_url: str, place: Path, *, with_secrets: bool = False) -> Backup:
    """Back up the database and the trained models into a new folder, which only its owner can read.

    It is one moment of the database, however much workers write meanwhile. Recordings themselves, objects between
    stages and unpacked archives are not in it. The folder has its name once all of it is written and read back. Raises
    `BackupFailed` or `DatabaseUnavailable`.
    """
    place = place.expanduser().absolute()
    if place.exists():
        raise BackupFailed(f"{place} is there already", hint="Give a name that is free, such as one with the date.")
    partial = place.with_name(f".{place.name}.partial-{os.getpid()}")
    try:
        partial.mkdir(parents=True, mode=0o700)
        made = _write(settings, owner_url, partial, with_secrets=with_secrets)
        made.write(partial)
        manifests.check(partial, manifests.read(partial))
        if missing := {t for t, n in made.rows.items() if n} - postgres.tables_in(partial / DATABASE, BackupFailed):
            raise BackupFailed(f"the dump lacks the rows of {', '.join(sorted(missing))}")
        os.sync()
        os.replace(partial, place)
    except OSError as exc:
        raise BackupFailed(f"{place} cannot be written: {exc.strerror or type(exc).__name__}") from exc
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    _note(settings, place, made)
    return Backup(place, made)


def _write(settings: Settings, owner_url: str, folder: Path, *, with_secrets: bool) -> Manifest:
    engine = make_engine(owner_url).execution_options(isolation_level="REPEATABLE READ")
    with reading(engine) as conn:
        snapshot = conn.execute(text("SELECT pg_export_snapshot()")).scalar_one()
        made_at = datetime.now(UTC).isoformat(timespec="seconds")
        schema = revision_of(conn)
        if schema is None:
            raise BackupFailed("the database has no tables yet", hint="Run `tenor up` first.")
        rows = _rows(conn)
        # The bundles that a version names are there before the version is.
        arguments = ["--format=custom", "--no-owner", f"--snapshot={snapshot}", "--schema=public"]
        postgres.run("pg_dump", [*arguments, f"--file={folder / DATABASE}"], owner_url, BackupFailed)
    _copy(settings.models, folder / MODELS, leave_out=_MADE_AGAIN)
    if with_secrets:
        for name in _SECRET_FILES:
            if (settings.home / name).is_file():
                (folder / SECRETS).mkdir(exist_ok=True, mode=0o700)
                shutil.copy2(settings.home / name, folder / SECRETS / name)
    files = {
        path.relative_to(folder).as_posix(): manifests.described(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    return Manifest(metadata.version("tenor"), schema, made_at, rows, files)


def _rows(conn: Connection) -> dict[str, int]:
    """Rows of each table that holds some itself; a partitioned one's are its partitions'."""
    names = conn.execute(
        text("""
            SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE n.nspname = 'public' AND c.relkind = 'r' ORDER BY 1
        """)
    ).scalars()
    quote = conn.dialect.identifier_preparer.quote
    return {name: conn.execute(text(f"SELECT count(*) FROM public.{quote(name)}")).scalar_one() for name in names}


def _copy(source: Path, target: Path, leave_out: set[str]) -> None:
    if not source.is_dir():
        return
    for path in sorted(source.rglob("*")):
        inner = path.relative_to(source)
        hidden = any(part.startswith(".") for part in inner.parts)
        if path.is_file() and not path.is_symlink() and not hidden and inner.parts[0] not in leave_out:
            (target / inner).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target / inner)


def _note(settings: Settings, place: Path, made: Manifest) -> None:
    """Where the last back-up is; not being able to write that down spoils nothing."""
    partial = settings.home / f".{NOTED}.{os.getpid()}"
    try:
        partial.write_text(json.dumps({"place": str(place), "made_at": made.made_at}))
        os.replace(partial, settings.home / NOTED)
    except OSError:
        partial.unlink(missing_ok=True)
