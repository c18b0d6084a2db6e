"""Packed archives for tests."""

import io
import os
import tarfile
import zipfile
from pathlib import Path

from workers.archives.packed.unpacking import Bounds, unpack

ENOUGH = Bounds(10_000_000)
FILES = {"a.wav": b"a" * 5000, "sub/b.wav": os.urandom(70_000), "sub/ö.txt": b"words", "manifest.csv": b"path\n"}
#: Mode letters of `tarfile` by ending.
TARS = {".tar": "", ".tar.gz": "gz", ".tgz": "gz", ".tar.bz2": "bz2", ".tbz2": "bz2", ".tar.xz": "xz", ".txz": "xz"}


def make_zip(path: Path, files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def entry(name: str, kind: bytes = tarfile.REGTYPE, size: int = 0, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname = kind, size, target
    return info


def make_tar(path: Path, *entries: tuple[tarfile.TarInfo, bytes], form: int = tarfile.PAX_FORMAT) -> Path:
    mode = next(mode for ending, mode in TARS.items() if path.name.endswith(ending))
    with tarfile.open(path, f"w:{mode}", format=form) as archive:  # type: ignore[call-overload]
        for info, content in entries:
            archive.addfile(info, io.BytesIO(content))
    return path


def make(path: Path, files: dict[str, bytes]) -> Path:
    if path.suffix == ".zip":
        return make_zip(path, files)
    return make_tar(path, *((entry(name, size=len(content)), content) for name, content in files.items()))


def unpacked(packed: Path, bounds: Bounds = ENOUGH) -> dict[str, bytes]:
    """What is in the folder afterwards."""
    folder = packed.parent / "unpacked"
    folder.mkdir()
    unpack(packed, folder, bounds)
    return contents(folder)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
