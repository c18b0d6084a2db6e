"""Zip and tar files: unpacked whole or not at all, never outside of their folder, and kept while they are used."""

import errno
import io
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import time
import zipfile
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest

from workers.errors import (
    ArchiveBroken,
    ArchiveEncrypted,
    ArchiveMissing,
    ArchiveTooLarge,
    ArchiveUnsafe,
    ArchiveUnusable,
    DiskFull,
)
from workers.packed import Store, is_packed, unpacking
from workers.packed.store import Version, version
from workers.packed.unpacking import Bounds, unpack

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


# --- the store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store", ENOUGH, kept_s=3600.0)


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    return make_zip(tmp_path / "calls.zip", FILES)


def test_the_same_content_is_unpacked_once(store: Store, packed: Path) -> None:
    place = store.ensure(packed, version(packed, None))
    written = (place / "a.wav").stat().st_mtime_ns
    moved = packed.rename(packed.with_name("moved.zip"))

    again = store.ensure(moved, version(moved, None))

    assert again == place == store.place(version(moved, None).sha256)
    assert (again / "a.wav").stat().st_mtime_ns == written
    assert contents(place) == FILES


def test_an_unchanged_size_and_time_skips_the_hash(packed: Path) -> None:
    now = version(packed, None)
    known = Version("known", now.size_bytes, now.mtime_ns)

    assert version(packed, known).sha256 == "known"
    os.utime(packed, ns=(1, 1))
    assert version(packed, known).sha256 == now.sha256
    packed.unlink()
    with pytest.raises(ArchiveMissing):
        version(packed, known)


def test_nothing_is_left_of_an_archive_that_cannot_be_unpacked(store: Store, packed: Path) -> None:
    packed.write_bytes(packed.read_bytes()[:-100])

    with pytest.raises(ArchiveBroken):
        store.ensure(packed, version(packed, None))
    assert [path.name for path in store.folder.iterdir()] == [".lock"]


def test_a_full_disk_is_a_sentence_and_leaves_nothing(
    store: Store, packed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Path.open

    def full(self: Path, *args: object, **more: object) -> object:
        if self.name == "b.wav":
            raise OSError(errno.ENOSPC, "No space left on device")
        return opened(self, *args, **more)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(DiskFull, match=r"calls\.zip") as refused:
        store.ensure(packed, version(packed, None))
    assert "TENOR_UNPACKED_DIR" in refused.value.hint
    assert [path.name for path in store.folder.iterdir()] == [".lock"]


def test_an_archive_that_is_replaced_meanwhile_is_not_kept_under_the_old_hash(store: Store, packed: Path) -> None:
    known = version(packed, None)

    def replace() -> None:
        os.utime(packed, ns=(2, 2))

    replaced = Store(store.folder, store.bounds, store.kept_s)
    make_zip(packed, {"other.wav": b"other"})
    replace()
    with pytest.raises(ArchiveMissing, match="replaced"):
        replaced.ensure(packed, known)
    assert not store.place(known.sha256).exists()


def test_many_at_once_unpack_once(store: Store, packed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from workers.packed import store as module

    calls: list[Path] = []

    def counted(*args: object) -> int:
        calls.append(packed)
        time.sleep(0.05)
        return unpack(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "unpack", counted)
    known, start = version(packed, None), threading.Barrier(6)

    def work() -> None:
        start.wait()
        assert contents(store.ensure(packed, known)) == FILES

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 1


_SLOWLY = """
import sys, time
from pathlib import Path
from workers.packed import Store
from workers.packed.store import version
from workers.packed.unpacking import Bounds
packed = Path(sys.argv[1])
from workers.packed import unpacking
write = unpacking._write
def slow(*args):
    written = write(*args)
    print("wrote", flush=True)
    time.sleep(60)
    return written
unpacking._write = slow
Store(Path(sys.argv[2]), Bounds(10**9), 60.0).ensure(packed, version(packed, None))
"""


def test_whoever_is_killed_in_the_middle_leaves_nothing_that_the_next_one_takes_for_whole(
    store: Store, packed: Path
) -> None:
    # Given a process that was killed when it had written one file
    process = subprocess.Popen(
        [sys.executable, "-c", _SLOWLY, str(packed), str(store.folder)],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None and process.stdout.readline() == b"wrote\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert [path.suffix for path in store.folder.iterdir() if path.is_dir()] == [".partial"]

    # When the next one comes
    place = store.ensure(packed, version(packed, None))

    # Then it has everything, and the remains are gone.
    assert contents(place) == FILES
    assert sorted(path.name for path in store.folder.iterdir()) == [".lock", place.name]


def test_one_that_waits_may_be_told_to_stop(store: Store, packed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from workers.packed import store as module

    monkeypatch.setattr(module, "_PULSE_S", -1.0)

    class Cancelled(Exception): ...

    def stop() -> None:
        raise Cancelled

    known = version(packed, None)
    with pytest.raises(Cancelled):
        store.ensure(packed, known, stop)
    assert [path.name for path in store.folder.iterdir()] == [".lock"]


def unread_for(seconds: float) -> Callable[[Path], None]:
    return lambda place: os.utime(place, (time.time() - seconds, time.time() - seconds))


def test_what_nobody_reads_is_removed_but_never_what_is_wanted(store: Store, packed: Path) -> None:
    assert store.remove_unused(()) == 0
    known = version(packed, None)
    place = store.ensure(packed, known)

    assert store.remove_unused(()) == 0, "it was just used"
    unread_for(4000)(place)
    assert store.remove_unused({known.sha256}) == 0
    store.restored(packed, known)
    assert store.remove_unused(()) == 0, "reading is using"
    unread_for(4000)(place)
    assert store.remove_unused(()) == 1
    assert not place.exists()


def test_what_was_removed_is_unpacked_again_when_it_is_read(store: Store, packed: Path) -> None:
    known = version(packed, None)
    shutil.rmtree(store.ensure(packed, known))

    assert contents(store.restored(packed, known)) == FILES


def test_what_cannot_be_unpacked_again_is_missing_and_nothing_else(store: Store, packed: Path) -> None:
    known = version(packed, None)
    make_zip(packed, {"other.wav": b"other"})

    assert store.restored(packed, known) == store.place(known.sha256)
    assert not store.place(known.sha256).exists()
    packed.unlink()
    assert store.restored(packed, known) == store.place(known.sha256)


def test_nothing_is_removed_while_somebody_unpacks(store: Store, packed: Path) -> None:
    known = version(packed, None)
    unread_for(4000)(store.ensure(packed, known))

    with store._locked():
        assert store.remove_unused(()) == 0
    assert store.place(known.sha256).exists()
