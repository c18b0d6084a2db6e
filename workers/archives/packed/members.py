"""What a zip or tar file holds, one regular file after the other; everything odd is refused with a sentence.

Sentences name the member in question, because a person has to find it; its content is never quoted.
"""

import errno
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from workers.errors import ArchiveBroken, ArchiveEncrypted, ArchiveUnsafe

#: Endings of the files that are taken for archives. Zstandard comes with Python only from 3.14 on.
ZIP, TAR = (".zip",), (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
#: What the libraries raise over content that is not what it should be. gzip and bz2 raise `OSError` without a number.
_BROKEN = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, ValueError, OverflowError),
    *(NotImplementedError, RecursionError, IndexError, KeyError),
)
#: Parts of headers that the library reads as a whole, and how long they may be.
_IN_MEMORY = (
    *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
)
_MAX_HEADER = 1 << 20
#: Behind the last file come zeros up to a multiple of some 10 kB.
_MAX_PADDING, _PART = 1 << 26, 1 << 16
_ENCRYPTED = 0x1
_NAME_IS_UTF8 = 0x800
_WRITTEN_BY_DOS = 0


@dataclass(frozen=True, slots=True)
class Member:
    """A regular file in an archive, readable until the next one is asked for."""

    #: As the archive has it, with `/`; not yet safe to use.
    name: str
    #: Bytes when unpacked, as the archive says; `content` gives no more.
    size: int
    content: IO[bytes]


def is_packed(path: Path) -> bool:
    """True when a file's name says that it is a zip or tar file."""
    return path.name.lower().endswith(ZIP + TAR)


def members(packed: Path) -> Iterator[Member]:
    """The regular files of an archive, in its own order.

    Raises `ArchiveEncrypted`; `ArchiveUnsafe` for links, devices and pipes; `ArchiveBroken` for what cannot be read,
    naming the member behind which it ends. Content is checked against its checksum while it is read, where there is
    one.
    """
    return _zip(packed) if packed.name.lower().endswith(ZIP) else _tar(packed)


@contextmanager
def reading(packed: Path, where: str) -> Iterator[None]:
    """Turns what the libraries raise over broken content into `ArchiveBroken`."""
    try:
        yield
    except zipfile.LargeZipFile as exc:
        raise ArchiveBroken(f"{packed.name} cannot be read {where} ({type(exc).__name__})") from exc
    except _BROKEN as exc:
        raise ArchiveBroken(f"{packed.name} is damaged {where} ({type(exc).__name__})") from exc
    except RuntimeError as exc:
        # What zipfile says when a password is needed; those that say so in advance were refused before.
        raise ArchiveEncrypted(f"{packed.name} cannot be read {where} ({type(exc).__name__})") from exc
    except OSError as exc:
        # A place that is not in the file is EINVAL.
        if exc.errno not in (None, errno.EINVAL):
            raise
        raise ArchiveBroken(f"{packed.name} is damaged {where} ({type(exc).__name__})") from exc


def _zip(packed: Path) -> Iterator[Member]:
    with reading(packed, "in its list of files"):
        archive = zipfile.ZipFile(packed)
    with archive:
        # Before anything is written.
        for info in archive.infolist():
            name, kind = _zip_name(info), stat.S_IFMT(info.external_attr >> 16)
            if info.flag_bits & _ENCRYPTED:
                raise ArchiveEncrypted(f"{packed.name} needs a password for {name}")
            if not info.is_dir() and kind not in (0, stat.S_IFREG):
                raise _unsafe(packed, name)
        for info in archive.infolist():
            if not info.is_dir():
                name = _zip_name(info)
                with reading(packed, f"at {name}"):
                    content = archive.open(info)
                with content:
                    yield Member(name, info.file_size, content)


def _zip_name(info: zipfile.ZipInfo) -> str:
    """A name without the flag for UTF-8 often is UTF-8 all the same; else it is in zip's own code page 437."""
    name = info.filename
    if not info.flag_bits & _NAME_IS_UTF8:
        try:
            name = name.encode("cp437").decode("utf-8")
        except UnicodeError:
            pass
    # Programs on Windows write backslashes although the format forbids it; elsewhere they are part of a name.
    return name.replace("\\", "/") if info.create_system == _WRITTEN_BY_DOS else name


class _StrictHeader(tarfile.TarInfo):
    """Does not take a damaged header for the end of the archive, as the library does."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> "_StrictHeader":
        """A header; only the zero block that ends every archive counts as the end."""
        try:
            header = super().frombuf(buf, encoding, errors)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            raise
        except tarfile.HeaderError as exc:
            raise tarfile.ReadError("a header is damaged or missing") from exc
        # What belongs to a header is read into memory, whatever size it claims.
        if header.type in _IN_MEMORY and header.size > _MAX_HEADER:
            raise tarfile.ReadError("a header is larger than headers are")
        return header


def _tar(packed: Path) -> Iterator[Member]:
    with reading(packed, "at its start"):
        archive = tarfile.open(packed, "r:*", tarinfo=_StrictHeader)  # noqa: SIM115
    last = "its start"
    with archive:
        while True:
            with reading(packed, f"behind {last}"):
                info = archive.next()
            # The library keeps all it has seen, for links, which are refused here.
            archive.members.clear()  # type: ignore[attr-defined]
            if info is None:
                with reading(packed, "behind its last file"):
                    _read_out(archive)
                return
            last = info.name
            if info.isdir():
                continue
            if not info.isreg():
                raise _unsafe(packed, info.name)
            with reading(packed, f"at {info.name}"):
                content = archive.extractfile(info)
            assert content is not None
            yield Member(info.name, info.size, content)


def _read_out(archive: tarfile.TarFile) -> None:
    """Read what is behind the last file, because the checksum of a compressed archive is at its very end."""
    assert archive.fileobj is not None
    left = _MAX_PADDING
    while part := archive.fileobj.read(_PART):
        left -= len(part)
        if left < 0:
            raise tarfile.ReadError("it goes on behind its end")


def _unsafe(packed: Path, name: str) -> ArchiveUnsafe:
    return ArchiveUnsafe(
        f"{packed.name} holds a link, device or pipe: {name}",
        hint="Pack it again with the files themselves (`tar --dereference`; zip does so by itself), and enqueue it.",
    )
