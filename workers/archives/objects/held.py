"""A bounded folder on this machine's disk for objects while they are read (`TENOR_SCRATCH_DIR`).

`objects/` keeps recordings that were read lately, at most `TENOR_SCRATCH_GB` of them: one that is aligned and then
scored on the same machine is fetched once. `held/` has a folder for each process that reads; its files are hard links
into `objects/`, so that making room takes nothing away from anybody. The folder of a process that was killed is removed
by the next one that comes by, because the lock that the kernel kept for it is free.
"""

import fcntl
import hashlib
import os
import shutil
import time
import uuid
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from workers.archives.objects.client import download
from workers.archives.objects.places import Object
from workers.errors import RecordingTooLarge
from workers.settings import Settings

#: A process counts what it has brought, and makes room each time it comes to this part of the bound.
_SHARE = 16


class Held:
    """A folder of this process's own. Its files are gone when nobody uses the object any more."""

    def __init__(self, settings: Settings) -> None:
        self._scratch = settings.scratch
        self.limit_bytes = settings.scratch_gb * 1_000_000_000
        self._brought = self.limit_bytes
        clean(self._scratch)
        with _locked(self._scratch):
            self.folder = self._scratch / "held" / uuid.uuid4().hex
            self.folder.mkdir(parents=True, mode=0o700)
            self._lock = os.open(_lock_of(self.folder), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX)
        self._close = weakref.finalize(self, _release, self.folder, self._lock)
        _open.add(self)

    def close(self) -> None:
        """Remove the folder now."""
        self._close()

    def bring(self, bucket: str, key: str, expected: Object, path: str, *, keep: bool = False) -> Path:
        """An object as the file `path` of the folder, downloaded unless this machine still has it.

        `keep` keeps it for whoever reads it next.

        Raises what `download` raises, and `RecordingTooLarge` where it exceeds the bound alone.
        """
        place = self._prepared(path)
        if place.exists():
            return place
        if expected.size_bytes > self.limit_bytes:
            raise RecordingTooLarge(
                f"it has {expected.size_bytes / 1e9:.1f} GB, more than the folder for objects may hold",
                hint="Raise TENOR_SCRATCH_GB where the workers run, and run `tenor retry JOB`.",
            )
        kept = self._scratch / "objects" / _name(bucket, key, expected)
        try:
            os.link(kept, place)
        except FileNotFoundError:
            self._make_room(expected.size_bytes)
            # Under another name until it is whole.
            partial = self.folder / f".{uuid.uuid4().hex}"
            try:
                download(bucket, key, expected, partial)
                os.link(partial, place)
                if keep:
                    kept.parent.mkdir(exist_ok=True, mode=0o700)
                    os.replace(partial, kept)
            finally:
                partial.unlink(missing_ok=True)
        # When it was last used; the time of modification is the object's.
        os.utime(place, ns=(time.time_ns(), expected.mtime_ns))
        return place

    def stand_in(self, path: str, known: Object) -> None:
        """A file of that size and time, without content: for one whose content is known."""
        place = self._prepared(path)
        if not place.exists():
            with place.open("wb") as file:
                file.truncate(known.size_bytes)
            os.utime(place, ns=(known.mtime_ns, known.mtime_ns))

    def drop(self, path: str) -> None:
        """Take a file out of the folder."""
        (self.folder / path).unlink(missing_ok=True)

    def _prepared(self, path: str) -> Path:
        place = self.folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        return place

    def _make_room(self, size: int) -> None:
        self._brought += size
        if self._brought * _SHARE < self.limit_bytes:
            return
        self._brought = 0
        with _locked(self._scratch):
            evict(self._scratch / "objects", self.limit_bytes - max(size, self.limit_bytes // _SHARE))


#: Those of this process that are still there.
_open: "weakref.WeakSet[Held]" = weakref.WeakSet()


def close_all() -> None:
    """Remove every folder of this process: its unit of work is over.

    An error that became a recording's result keeps frames alive, and with them what they have looked at.
    """
    for held in list(_open):
        held.close()
        _open.discard(held)


def evict(folder: Path, limit_bytes: int) -> None:
    """Remove what was not used for longest until at most so many bytes are left."""
    files = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                status = entry.stat(follow_symlinks=False)
                files.append((status.st_atime_ns, status.st_size, entry.path))
    except FileNotFoundError:
        return
    total = sum(size for _, size, _ in files)
    for _, size, path in sorted(files):
        if total <= limit_bytes:
            return
        Path(path).unlink(missing_ok=True)
        total -= size


def clean(scratch: Path) -> int:
    """Remove the folders of processes that are gone; returns how many."""
    removed = 0
    with _locked(scratch):
        for lock in (scratch / "held").glob("*.lock"):
            file = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            finally:
                os.close(file)
            shutil.rmtree(lock.with_suffix(""), ignore_errors=True)
            lock.unlink(missing_ok=True)
            removed += 1
    return removed


def _release(folder: Path, lock: int) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    _lock_of(folder).unlink(missing_ok=True)
    os.close(lock)


def _lock_of(folder: Path) -> Path:
    return folder.with_suffix(".lock")


def _name(bucket: str, key: str, seen: Object) -> str:
    text = f"{bucket}/{key}\0{seen.size_bytes}\0{seen.mtime_ns}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:40]


@contextmanager
def _locked(scratch: Path) -> Iterator[None]:
    """One process at a time makes or removes folders."""
    (scratch / "held").mkdir(parents=True, exist_ok=True, mode=0o700)
    file = os.open(scratch / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)
