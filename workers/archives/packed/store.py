"""Where archives lie that came as one zip or tar file: `FOLDER/SHA256/`, unpacked once, whole or absent.

One process at a time unpacks or removes, under a file lock that ends with its process. It writes into a folder of
another name that is renamed when everything is in it, so a name that is a hash always stands for all of its content;
what a killed process has left is removed by the next one. Workers on several machines need one folder that all of them
see (`TENOR_UNPACKED_DIR`), or each unpacks for itself what it is to read.

A folder whose archive nobody has read for `TENOR_UNPACKED_DAYS` is removed, unless a live job is about it. Should it be
wanted again, it is unpacked again.
"""

import errno
import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from workers.archives.packed.unpacking import Bounds, no_space, remove, unpack
from workers.errors import ArchiveMissing, ArchiveUnusable, DiskFull, StoreUnavailable
from workers.settings import Settings

_LOCK = ".lock"
_PARTIAL = ".partial"
#: `alive` is called so often at most, because it may ask the database.
_PULSE_S = 5.0
_HASH_PART = 1 << 20
Alive = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Version:
    """A packed archive as it is now; an unchanged size and time stand for an unchanged content."""

    sha256: str
    size_bytes: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Store:
    """The folder of unpacked archives."""

    folder: Path
    bounds: Bounds
    #: Kept after their last use, in seconds.
    kept_s: float

    @classmethod
    def of(cls, settings: Settings) -> "Store":
        """The store that the settings name."""
        return cls(settings.unpacked, Bounds(settings.unpack_gb * 1_000_000_000), settings.unpacked_days * 86_400)

    def place(self, sha256: str) -> Path:
        """Where an archive of that content lies, or would lie."""
        return self.folder / sha256

    def has(self, known: Version) -> bool:
        """True when an archive of that content is here."""
        return self.place(known.sha256).is_dir()

    def ensure(self, packed: Path, known: Version, alive: Alive = lambda: None) -> Path:
        """The unpacked archive, unpacked now unless it is there.

        Raises an `ArchiveUnusable`, `ArchiveMissing` when it is replaced meanwhile, `DiskFull`, or `StoreUnavailable`
        when the folder cannot be written.
        """
        place, alive = self.place(known.sha256), _throttled(alive)
        if self._touch(place):
            return place
        try:
            with self._locked():
                # Somebody else may have done it meanwhile.
                if not self._touch(place):
                    self._unpack(packed, known, place, alive)
        except PermissionError as exc:
            raise StoreUnavailable(
                f"{self.folder} cannot be written",
                hint="Let the workers write there, or set TENOR_UNPACKED_DIR; it is tried again until it works.",
            ) from exc
        return place

    def restored(self, packed: Path, known: Version) -> Path:
        """The unpacked archive, for somebody who reads what is in it; unpacked again when it was removed.

        When that cannot be, because the zip or tar file has changed or is gone, the place where it was: each recording
        then says that its file is missing.
        """
        place = self.place(known.sha256)
        if not self._touch(place):
            try:
                now = version(packed, known)
                if now.sha256 == known.sha256:
                    self.ensure(packed, now)
            except (ArchiveMissing, ArchiveUnusable):
                pass
        return place

    def remove_unused(self, wanted: Collection[str]) -> int:
        """Delete archives that were not read for long, but none of those whose hash is `wanted`; returns how many.

        Does nothing while somebody unpacks; the next call will do.
        """
        try:
            names = [entry.name for entry in self.folder.iterdir() if not entry.name.startswith(".")]
        except FileNotFoundError:
            return 0
        if not any(self._idle(name, wanted) for name in names):
            return 0
        removed = 0
        try:
            with self._locked(wait=False):
                for name in names:
                    if self._idle(name, wanted):
                        # Renamed first: a reader that comes now finds nothing rather than a part.
                        gone = self.folder / f"{name}{_PARTIAL}"
                        os.replace(self.folder / name, gone)
                        remove(gone)
                        removed += 1
        except BlockingIOError:
            pass
        return removed

    def forget(self, sha256: str) -> None:
        """Delete an unpacked archive, whoever has read it last; it is unpacked again where it is wanted again."""
        if not self.place(sha256).is_dir():
            return
        with self._locked():
            gone = self.folder / f"{sha256}{_PARTIAL}"
            os.replace(self.place(sha256), gone)
            remove(gone)

    def _idle(self, name: str, wanted: Collection[str]) -> bool:
        try:
            unread_s = time.time() - (self.folder / name).stat().st_mtime
        except FileNotFoundError:
            return False
        return name not in wanted and unread_s > self.kept_s

    def _touch(self, place: Path) -> bool:
        """Note that the archive is used; False when it is not there."""
        try:
            os.utime(place)
        except FileNotFoundError:
            return False
        except PermissionError:
            # It is there, and somebody else's to remove.
            return True
        return True

    def _unpack(self, packed: Path, known: Version, place: Path, alive: Alive) -> None:
        for left in self.folder.glob(f"*{_PARTIAL}"):
            remove(left)
        if shutil.disk_usage(self.folder).free < known.size_bytes:
            raise no_space(packed)
        partial = place.with_name(place.name + _PARTIAL)
        partial.mkdir()
        try:
            unpack(packed, partial, self.bounds, alive)
            if version(packed, known) != known:
                raise ArchiveMissing(f"{packed} was replaced while it was unpacked", hint="It is tried again.")
            # A name must not survive a power cut that its content does not.
            os.sync()
            os.replace(partial, place)
        except BaseException:
            remove(partial)
            raise

    @contextmanager
    def _locked(self, *, wait: bool = True) -> Iterator[None]:
        """Raises `BlockingIOError` when somebody else has it and `wait` is False."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = os.open(self.folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as exc:
            if exc.errno in {errno.ENOSPC, errno.EDQUOT}:
                raise DiskFull(f"{self.folder} has no space left") from exc
            raise
        try:
            fcntl.flock(lock, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        finally:
            os.close(lock)


def version(packed: Path, known: Version | None, alive: Alive = lambda: None) -> Version:
    """What a packed archive is now; hashed unless its size and time are those known. Raises `ArchiveMissing`."""
    alive = _throttled(alive)
    try:
        status = packed.stat()
        if known is not None and (known.size_bytes, known.mtime_ns) == (status.st_size, status.st_mtime_ns):
            return known
        digest = hashlib.sha256()
        with packed.open("rb") as file:
            while part := file.read(_HASH_PART):
                digest.update(part)
                alive()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError) as exc:
        raise ArchiveMissing(f"{packed} is not a file that this worker can read") from exc
    return Version(digest.hexdigest(), status.st_size, status.st_mtime_ns)


def _throttled(alive: Alive) -> Alive:
    last = time.monotonic()

    def pulse() -> None:
        nonlocal last
        if time.monotonic() - last > _PULSE_S:
            last = time.monotonic()
            alive()

    return pulse
