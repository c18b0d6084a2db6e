"""Writing an archive's files into a folder, within bounds and never outside of it."""

import errno
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from workers.archives.packed.members import Member, members, reading
from workers.errors import ArchiveBroken, ArchiveTooLarge, ArchiveUnsafe, DiskFull

#: A walk and its database rows bear more, but a zip's list of files is held in memory: about 1 kB for each.
MAX_FILES = 1_000_000
#: A bomb unpacks to thousands of times its size. Hours of digital silence may do so too, hence the allowance.
MAX_RATIO, RATIO_ALLOWANCE = 200, 1_000_000_000
_PART = 1 << 20
#: Of these a file system says that it cannot have such a name.
_BAD_NAME = {errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL}
_NO_SPACE = {errno.ENOSPC, errno.EDQUOT}


@dataclass(frozen=True, slots=True)
class Bounds:
    """What unpacking may come to."""

    bytes: int
    files: int = MAX_FILES


def unpack(packed: Path, folder: Path, bounds: Bounds, alive: Callable[[], None] = lambda: None) -> int:
    """Write the files of a zip or tar file into a folder, which must be empty; returns how many.

    Hidden files are left out, as on a walk, and archives within it stay packed. Names decide nothing but where below
    the folder a file goes; owners, permissions and times are not taken over. `alive` is called now and then and may
    raise to stop it.

    Raises `ArchiveBroken`, `ArchiveEncrypted`, `ArchiveUnsafe`, `ArchiveTooLarge`, or `DiskFull`.
    """
    allowed = min(bounds.bytes, max(RATIO_ALLOWANCE, MAX_RATIO * packed.stat().st_size))
    written = files = 0
    for member in members(packed):
        alive()
        files += 1
        if files > bounds.files:
            raise ArchiveTooLarge(
                f"{packed.name} holds more than {bounds.files:,} files", hint="Unpack it, and enqueue the folder."
            )
        if written + member.size > allowed:
            raise _too_large(packed, allowed, bounds)
        if (path := safe_path(packed, member.name)) is not None:
            written += _write(packed, member, folder / path, alive)
    return files


def safe_path(packed: Path, name: str) -> PurePosixPath | None:
    """Where a member goes, None when it is hidden; raises `ArchiveUnsafe` when that is outside."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or re.match(r"[A-Za-z]:/", name) or "\0" in name:
        raise ArchiveUnsafe(f"{packed.name} holds a path that leads out of it: {name}")
    if not path.parts or path.parts[0] == "__MACOSX" or any(part.startswith(".") for part in path.parts):
        return None
    return path


def _too_large(packed: Path, allowed: int, bounds: Bounds) -> ArchiveTooLarge:
    if allowed == bounds.bytes:
        return ArchiveTooLarge(f"{packed.name} unpacks to more than {allowed / 1e9:,.3g} GB")
    return ArchiveTooLarge(
        f"{packed.name} unpacks to more than {MAX_RATIO} times its size, which sound does not",
        hint="If you know what it holds, unpack it and enqueue the folder.",
    )


def _write(packed: Path, member: Member, path: Path, alive: Callable[[], None]) -> int:
    left = member.size
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Exclusive: never through something that is there.
        with path.open("xb") as file:
            while left > 0:
                with reading(packed, f"at {member.name}"):
                    part = member.content.read(min(_PART, left))
                if not part:
                    raise ArchiveBroken(f"{packed.name} ends in the middle of {member.name}")
                file.write(part)
                left -= len(part)
                alive()
            with reading(packed, f"at {member.name}"):
                # One byte behind the end makes the library compare checksums.
                if member.content.read(1):
                    raise ArchiveBroken(f"{packed.name} holds more of {member.name} than it says")
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as exc:
        raise ArchiveBroken(f"{packed.name} holds the same path twice: {member.name}") from exc
    except UnicodeError as exc:
        raise ArchiveBroken(f"{packed.name} holds a name that no file can have") from exc
    except OSError as exc:
        if exc.errno in _BAD_NAME:
            raise ArchiveBroken(f"{packed.name} holds a name that no file can have here: {member.name}") from exc
        if exc.errno in _NO_SPACE:
            raise no_space(packed) from exc
        raise
    return member.size


def no_space(packed: Path) -> DiskFull:
    """The disk that archives are unpacked to is full."""
    return DiskFull(
        f"there is no space left to unpack {packed.name}",
        hint="Free space where TENOR_UNPACKED_DIR points (TENOR_HOME/unpacked); it is tried again until there is some.",
    )


def remove(folder: Path) -> None:
    """Delete a folder and what is in it, or what of it can be deleted."""
    shutil.rmtree(os.fspath(folder), ignore_errors=True)
