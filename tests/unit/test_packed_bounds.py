"""Archives that unpack to more than is allowed, or say so."""

import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.unit.packing import contents, entry, make, make_zip, unpacked
from workers.archives.packed import unpacking
from workers.archives.packed.unpacking import Bounds
from workers.errors import (
    ArchiveBroken,
    ArchiveTooLarge,
)


def test_more_than_the_allowed_size_is_refused_before_it_is_written(tmp_path: Path) -> None:
    for ending in (".zip", ".tar.gz"):
        folder = tmp_path / ending
        folder.mkdir()
        packed = make(folder / f"a{ending}", {"a.wav": b"a" * 600, "b.wav": b"b" * 600})
        with pytest.raises(ArchiveTooLarge, match="GB"):
            unpacked(packed, Bounds(1000))
        assert contents(folder / "unpacked") == {"a.wav": b"a" * 600}


def test_a_bomb_is_refused_by_its_ratio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "RATIO_ALLOWANCE", 1_000_000)
    bomb = make_zip(tmp_path / "a.zip", {"zeros.wav": bytes(5_000_000)})
    assert bomb.stat().st_size * unpacking.MAX_RATIO < 5_000_000

    with pytest.raises(ArchiveTooLarge, match="times its size"):
        unpacked(bomb)


def test_too_many_files_are_refused(tmp_path: Path) -> None:
    packed = make_zip(tmp_path / "a.zip", {f"{number}.wav": b"" for number in range(6)})

    with pytest.raises(ArchiveTooLarge, match="more than 5 files"):
        unpacked(packed, Bounds(1000, files=5))


def test_a_header_that_claims_gigabytes_is_not_read_into_memory(tmp_path: Path) -> None:
    header = entry("././@LongLink", tarfile.GNUTYPE_LONGNAME, size=1 << 33).tobuf(tarfile.GNU_FORMAT)
    packed = tmp_path / "a.tar"
    packed.write_bytes(header + bytes(4096))

    with pytest.raises(ArchiveBroken, match="start"):
        unpacked(packed)


def test_a_size_that_is_larger_than_the_content_is_found_out(tmp_path: Path) -> None:
    packed = make_zip(tmp_path / "a.zip", {"x.wav": b"g" * 50}, zipfile.ZIP_STORED)
    raw = bytearray(packed.read_bytes())
    raw[raw.index(b"PK\x01\x02") + 24] = 200
    packed.write_bytes(raw)

    with pytest.raises(ArchiveBroken, match=r"x\.wav"):
        unpacked(packed)
