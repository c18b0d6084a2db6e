"""Where an archive's files are: in its folder, or where its zip or tar file was unpacked."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Row, text

from workers.errors import ArchiveMissing
from workers.files import usable_path
from workers.packed import Store, is_packed
from workers.packed.store import Version, version
from workers.settings import Settings


def opened(engine: Engine, archive_id: int, settings: Settings, alive: Callable[[], None]) -> tuple[Path, bool]:
    """An archive's folder for the walk, and whether it was packed; a zip or tar file is unpacked when it is new.

    Raises `ArchiveMissing`, what `Store.ensure` raises, and what `alive` raises, which is called now and then.
    """
    with engine.connect() as conn:
        row = conn.execute(
            text("SELECT url, packed_sha256, packed_bytes, packed_mtime_ns FROM archives WHERE id = :id"),
            {"id": archive_id},
        ).one()
    path = Path(usable_path(row.url))
    if path.is_dir():
        now = None
    elif is_packed(path):
        now = version(path, _version(row), alive)
    else:
        raise ArchiveMissing(f"{path} is not a folder that this worker can read")
    if now != _version(row):
        # Before it is unpacked, so that the sweeper knows that it is wanted.
        with engine.begin() as conn:
            _remember(conn, archive_id, now)
    if now is None:
        return path, False
    return Store.of(settings).ensure(path, now, alive), True


def finder(settings: Settings) -> Callable[[Row[Any]], Path]:
    """A function from a row with the columns `url` and `packed_…` of an archive to its folder, for one unit of work.

    What was removed meanwhile is unpacked again.
    """
    store, found = Store.of(settings), dict[tuple[str, str | None], Path]()

    def root(row: Row[Any]) -> Path:
        key = (row.url, row.packed_sha256)
        if key not in found:
            path, known = Path(usable_path(row.url)), _version(row)
            found[key] = path if known is None else store.restored(path, known)
        return found[key]

    return root


def wanted(conn: Connection) -> list[str]:
    """The unpacked archives that live jobs are about, by hash."""
    return list(
        conn.execute(
            text("""
                SELECT DISTINCT a.packed_sha256 FROM archives a JOIN jobs j ON j.archive_id = a.id
                 WHERE a.packed_sha256 IS NOT NULL AND j.state IN ('queued', 'running')
            """)
        ).scalars()
    )


def _version(row: Row[Any]) -> Version | None:
    return None if row.packed_sha256 is None else Version(row.packed_sha256, row.packed_bytes, row.packed_mtime_ns)


def _remember(conn: Connection, archive_id: int, now: Version | None) -> None:
    conn.execute(
        text("""
            UPDATE archives SET packed_sha256 = :sha256, packed_bytes = :bytes, packed_mtime_ns = :mtime
             WHERE id = :id
        """),
        {
            "id": archive_id,
            "sha256": now and now.sha256,
            "bytes": now and now.size_bytes,
            "mtime": now and now.mtime_ns,
        },
    )
