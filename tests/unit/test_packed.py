"""Zip and tar files: unpacked whole or not at all, and never outside of their folder."""

import os
import tarfile
import zipfile
from contextlib import nullcontext
from pathlib import Path

import pytest

from tests.unit.packing import ENOUGH, FILES, TARS, contents, entry, make, make_tar, make_zip, unpacked
from workers.archives.packed import is_packed
from workers.archives.packed.unpacking import unpack
from workers.errors import (
    ArchiveBroken,
    ArchiveEncrypted,
    ArchiveUnsafe,
    ArchiveUnusable,
)


@pytest.mark.parametrize("ending", [".zip", ".ZIP", *TARS])
def test_every_kind_gives_the_files_that_went_in(tmp_path: Path, ending: str) -> None:
    packed = make(tmp_path / f"calls{ending.lower()}", FILES)
    packed = packed.rename(tmp_path / f"calls{ending}")

    assert is_packed(packed)
    assert unpacked(packed) == FILES


def test_other_files_are_not_archives() -> None:
    assert not any(is_packed(Path(name)) for name in ("a.wav", "a.7z", "a.tar.zst", "zip", "a.zip.wav"))


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_zip_has_several_methods(tmp_path: Path, method: int) -> None:
    assert unpacked(make_zip(tmp_path / "a.zip", FILES, method)) == FILES


def test_hidden_files_are_left_out_and_archives_within_stay_packed(tmp_path: Path) -> None:
    inner = make_zip(tmp_path / "inner.zip", {"x.wav": b"x"}).read_bytes()
    files = {"a.wav": b"a", ".git/b.wav": b"b", "sub/._a.wav": b"c", "__MACOSX/a.wav": b"d", "inner.zip": inner}

    assert unpacked(make_zip(tmp_path / "a.zip", files)) == {"a.wav": b"a", "inner.zip": inner}


def test_names_without_the_flag_for_utf_8_are_read_as_it_or_in_the_formats_own_code_page(tmp_path: Path) -> None:
    packed = make_zip(tmp_path / "a.zip", {"gr--n.wav": b"1", "bl+te.wav": b"2", "back=slash.wav": b"3"})
    raw = packed.read_bytes().replace(b"gr--n", "grün".encode()).replace(b"bl+te", "blüte".encode("cp437"))
    packed.write_bytes(raw.replace(b"back=slash", b"back\\slash"))

    # On Unix a backslash is a letter.
    assert unpacked(packed) == {"grün.wav": b"1", "blüte.wav": b"2", "back\\slash.wav": b"3"}


def test_a_backslash_of_windows_is_a_slash(tmp_path: Path) -> None:
    packed = tmp_path / "a.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        info = zipfile.ZipInfo("sub\\b.wav")
        info.create_system = 0
        archive.writestr(info, b"3")

    assert unpacked(packed) == {"sub/b.wav": b"3"}


def test_tar_names_that_are_no_text_are_kept(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.wav")
    packed = make_tar(tmp_path / "a.tar", (entry(name, size=1), b"x"), form=tarfile.GNU_FORMAT)

    assert unpacked(packed) == {name: b"x"}


@pytest.mark.parametrize("ending", [".zip", ".tar"])
@pytest.mark.parametrize("name", ["../evil.wav", "a/../../evil.wav", "/tmp/evil.wav", "C:/evil.wav"])
def test_a_path_that_leads_out_is_refused(tmp_path: Path, ending: str, name: str) -> None:
    packed = make(tmp_path / f"a{ending}", {"good.wav": b"a", name: b"evil"})

    with pytest.raises(ArchiveUnsafe, match="leads out") as refused:
        unpacked(packed)

    assert name in str(refused.value) and refused.value.hint
    assert not list(tmp_path.rglob("evil.wav")) and not Path("/tmp/evil.wav").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_links_devices_and_pipes_of_tar_are_refused(tmp_path: Path, kind: bytes) -> None:
    packed = make_tar(tmp_path / "a.tar", (entry("x.wav", kind, target="/etc/passwd"), b""))

    with pytest.raises(ArchiveUnsafe, match=r"x\.wav"):
        unpacked(packed)


def test_a_link_of_zip_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    packed = make_zip(tmp_path / "a.zip", {"a.wav": b"a"})
    with zipfile.ZipFile(packed, "a") as archive:
        info = zipfile.ZipInfo("x.wav")
        info.create_system, info.external_attr = 3, 0o120777 << 16
        archive.writestr(info, "/etc/passwd")

    with pytest.raises(ArchiveUnsafe, match=r"x\.wav"):
        unpacked(packed)
    assert contents(tmp_path / "unpacked") == {}


def test_a_link_and_a_file_behind_it_write_nowhere_else(tmp_path: Path) -> None:
    packed = make_tar(
        tmp_path / "a.tar",
        (entry("d", tarfile.SYMTYPE, target=str(tmp_path)), b""),
        (entry("d/evil.wav", size=4), b"evil"),
    )

    with pytest.raises(ArchiveUnsafe):
        unpacked(packed)
    assert not list(tmp_path.rglob("evil.wav"))


def test_a_password_is_asked_for_in_a_sentence(tmp_path: Path) -> None:
    packed = make_zip(tmp_path / "a.zip", {"secret.wav": b"a" * 100})
    raw = bytearray(packed.read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        raw[raw.index(mark) + offset] |= 1
    packed.write_bytes(raw)

    with pytest.raises(ArchiveEncrypted, match=r"password for secret\.wav"):
        unpacked(packed)


def test_what_is_no_archive_is_said_to_be_damaged(tmp_path: Path) -> None:
    for number, content in enumerate((b"", b"this is no archive", os.urandom(2000))):
        for ending in (".zip", ".tar", ".tar.gz", ".tar.xz"):
            packed = tmp_path / f"{number}{ending}"
            packed.write_bytes(content)
            with pytest.raises(ArchiveBroken, match=packed.name):
                unpack(packed, tmp_path, ENOUGH)


@pytest.mark.parametrize("ending", [".zip", *TARS])
def test_an_archive_that_is_cut_short_never_passes_for_a_whole_one(tmp_path: Path, ending: str) -> None:
    files = {f"{number}.wav": os.urandom(2048 * number) for number in range(1, 6)}
    whole = make(tmp_path / f"whole{ending}", files).read_bytes()
    packed = tmp_path / f"cut{ending}"
    # A tar file proper ends with padding, of which nothing is missed.
    end = sum(512 + len(content) for content in files.values()) if ending == ".tar" else len(whole) - 1
    for length in range(1, end, max(1, end // 60)):
        packed.write_bytes(whole[:length])
        folder = tmp_path / str(length)
        folder.mkdir()
        with pytest.raises(ArchiveBroken):
            unpack(packed, folder, ENOUGH)


@pytest.mark.parametrize("ending", [".zip", ".tar", ".tar.gz"])
def test_a_changed_byte_gives_a_sentence_or_the_same_files(tmp_path: Path, ending: str) -> None:
    files = {f"{number}.wav": os.urandom(300) for number in range(4)}
    whole = make(tmp_path / f"whole{ending}", files).read_bytes()
    packed = tmp_path / f"changed{ending}"
    for position in range(0, len(whole), 17):
        changed = bytearray(whole)
        changed[position] ^= 0x55
        packed.write_bytes(changed)
        folder = tmp_path / str(position)
        folder.mkdir()
        try:
            unpack(packed, folder, ENOUGH)
        except ArchiveUnusable as exc:
            assert exc.hint
        else:
            # Plain tar has no checksum over contents; the others do.
            found = contents(folder)
            assert ending == ".tar" or set(found.values()) <= set(files.values())


def test_a_damaged_header_in_the_middle_of_tar_is_not_taken_for_its_end(tmp_path: Path) -> None:
    packed = make_tar(tmp_path / "a.tar", *((entry(f"{n}.wav", size=512), b"x" * 512) for n in range(3)))
    raw = bytearray(packed.read_bytes())
    raw[1024:1034] = b"\xff" * 10
    packed.write_bytes(raw)

    with pytest.raises(ArchiveBroken, match=r"behind 0\.wav"):
        unpacked(packed)


def test_a_member_that_fails_its_checksum_is_named(tmp_path: Path) -> None:
    packed = make_zip(tmp_path / "a.zip", {"good.wav": b"g" * 50, "bad.wav": b"b" * 50}, zipfile.ZIP_STORED)
    packed.write_bytes(packed.read_bytes().replace(b"bbbbb", b"bbcbb", 1))

    with pytest.raises(ArchiveBroken, match=r"at bad\.wav"):
        unpacked(packed)


def test_an_unknown_method_is_a_sentence(tmp_path: Path) -> None:
    packed = make_zip(tmp_path / "a.zip", {"x.wav": b"g" * 50})
    raw = bytearray(packed.read_bytes())
    raw[raw.index(b"PK\x03\x04") + 8] = raw[raw.index(b"PK\x01\x02") + 10] = 9
    packed.write_bytes(raw)

    with pytest.raises(ArchiveBroken, match=r"x\.wav"):
        unpacked(packed)


@pytest.mark.parametrize("ending", [".zip", ".tar"])
@pytest.mark.parametrize("files", [("a.wav", "a.wav"), ("a.wav", "./a.wav"), ("a", "a/b.wav"), ("a/b.wav", "a")])
def test_a_path_that_comes_twice_overwrites_nothing(tmp_path: Path, ending: str, files: tuple[str, str]) -> None:
    packed = tmp_path / f"a{ending}"
    with pytest.warns(UserWarning) if ending == ".zip" and files[0] == files[1] else nullcontext():
        if ending == ".zip":
            with zipfile.ZipFile(packed, "w") as archive:
                for name in files:
                    archive.writestr(name, name)
        else:
            make_tar(packed, *((entry(name, size=1), b"x") for name in files))

    with pytest.raises(ArchiveBroken, match="twice"):
        unpacked(packed)


def test_a_name_that_no_file_can_have_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ArchiveBroken, match="name"):
        unpacked(make_zip(tmp_path / "a.zip", {"x" * 300 + ".wav": b"a"}))
