"""Unpacked archives: made once, whole, and kept while they are used."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.packing import ENOUGH, FILES, contents, make_zip
from workers.archives.packed import Store
from workers.archives.packed.store import Version, version
from workers.archives.packed.unpacking import unpack
from workers.errors import (
    ArchiveBroken,
    ArchiveMissing,
    DiskFull,
)


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
    from workers.archives.packed import store as module

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
from workers.archives.packed import Store
from workers.archives.packed.store import version
from workers.archives.packed.unpacking import Bounds
packed = Path(sys.argv[1])
from workers.archives.packed import unpacking
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
    from workers.archives.packed import store as module

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
