"""Where an archive's files are: in its folder, where its zip or tar file was unpacked, or in an object store."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Connection, Engine, Row, text

from workers.archives.allowed import reach, require_allowed
from workers.archives.files import usable_path
from workers.archives.objects.bucket import Bucket
from workers.archives.objects.packed import fetched
from workers.archives.objects.places import is_object_url
from workers.archives.objects.walk import BucketWalk
from workers.archives.packed import Store, is_packed
from workers.archives.packed.store import Version, version
from workers.archives.walks import FolderWalk, Walk
from workers.errors import ArchiveMissing
from workers.settings import Settings

#: What `finder`, `located` and `check_unchanged` ask of a row, and the tables it stands in; `r` is a recording.
COLUMNS = "f.path, f.size_bytes, f.mtime_ns, r.sha256, v.url, v.packed_sha256, v.packed_bytes, v.packed_mtime_ns"
#: The file that an alignment `a` was made of.
OF_ALIGNMENT = """
    JOIN recordings r ON r.id = a.recording_id
    JOIN archive_files f ON f.id = a.source_file_id
    JOIN archives v ON v.id = f.archive_id
"""


class Root(Protocol):
    """An archive, to those who read some of its recordings."""

    @property
    def folder(self) -> Path:
        """Where its files lie while they are `here`."""

    def here(self, path: str, transcript: str | None = None) -> AbstractContextManager[None]:
        """While it lasts, a recording and its transcript can be read in the folder."""


class Folder:
    """A folder on a disk: everything is always here."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def here(self, path: str, transcript: str | None = None) -> AbstractContextManager[None]:
        """Nothing to do."""
        return nullcontext()


def opened(
    engine: Engine, archive_id: int, settings: Settings, alive: Callable[[], None], only: str | None = None
) -> tuple[Walk, bool]:
    """A walk through an archive, and whether it was packed; a zip or tar file is unpacked when it is new.

    Raises `ArchiveNotAllowed`, `ArchiveMissing`, `StoreUnavailable`, what `Store.ensure` raises, and what `alive`
    raises, which is called now and then.
    """
    with engine.connect() as conn:
        row = conn.execute(
            text("SELECT url, packed_sha256, packed_bytes, packed_mtime_ns FROM archives WHERE id = :id"),
            {"id": archive_id},
        ).one()
    url = usable_path(row.url)
    require_allowed(url, settings)
    if is_object_url(url):
        if not is_packed(Path(url)):
            return BucketWalk(url, settings, only=only, alive=alive), False
        with fetched(url, _version(row), settings, alive) as (packed, there):
            _remember_first(engine, archive_id, row, there)
            return FolderWalk(Store.of(settings).ensure(packed, there, alive)), True
    path = Path(url)
    now: Version | None = None
    if is_packed(path) and not path.is_dir():
        now = version(path, _version(row), alive)
    elif not path.is_dir():
        raise ArchiveMissing(f"{path} is not a folder that this worker can read")
    _remember_first(engine, archive_id, row, now)
    if now is None:
        return FolderWalk(path, only, reach(path, settings)), False
    return FolderWalk(Store.of(settings).ensure(path, now, alive)), True


def _remember_first(engine: Engine, archive_id: int, row: Row[Any], now: Version | None) -> None:
    """Before it is unpacked, so that the sweeper knows that it is wanted."""
    if now != _version(row):
        with engine.begin() as conn:
            _remember(conn, archive_id, now)


def finder(settings: Settings) -> Callable[[Row[Any]], Root]:
    """A function from a row with the columns `url` and `packed_…` of an archive to its root, for one unit of work.

    What was removed meanwhile is unpacked again.
    """
    store, found = Store.of(settings), dict[tuple[str, str | None], Root]()

    def root(row: Row[Any]) -> Root:
        key = (row.url, row.packed_sha256)
        if key not in found:
            url, known = usable_path(row.url), _version(row)
            if known is None:
                found[key] = Bucket(url, settings) if is_object_url(url) else Folder(Path(url))
            elif is_object_url(url) and not store.has(known):
                with fetched(url, known, settings) as (packed, _):
                    found[key] = Folder(store.restored(packed, known))
            else:
                found[key] = Folder(store.restored(Path(url), known))
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
