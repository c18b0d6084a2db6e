"""Walking an archive: the order, what is left out, and going on behind a path."""

import errno
import os
from pathlib import Path

import pytest

from workers.archives.files import absence, audio_files
from workers.errors import ArchiveMissing

NAMES = ("b.wav", "a.wav", "B/x.wav", "a/z.flac", "a/b/c.mp3", "a b/1.wav", "a.d/2.wav", "z.wav")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in (*NAMES, ".hidden.wav", ".git/y.wav", "notes.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return tmp_path


def test_files_come_before_folders_and_in_order(root: Path) -> None:
    found = list(audio_files(root))

    assert sorted(found) == sorted(NAMES)
    assert found[:3] == ["a.wav", "b.wav", "z.wav"]
    assert found == list(audio_files(root))


def test_a_walk_goes_on_behind_any_path(root: Path) -> None:
    found = list(audio_files(root))

    for number, path in enumerate(found):
        assert list(audio_files(root, after=path)) == found[number + 1 :]


def test_a_walk_goes_on_behind_a_path_that_is_gone(root: Path) -> None:
    found = list(audio_files(root))
    (root / found[3]).unlink()

    assert list(audio_files(root, after=found[3])) == found[4:]


def close(monkeypatch: pytest.MonkeyPatch, *folders: Path) -> None:
    """Let folders be unreadable, also for root, who may read everything."""
    scandir = os.scandir

    def refusing(path: Path) -> object:
        if Path(path) in folders:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)


def test_a_folder_that_cannot_be_read_is_noted_and_the_walk_goes_on(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    close(monkeypatch, root / "B", root / "a" / "b")
    closed: set[str] = set()

    found = list(audio_files(root, closed=closed))

    assert set(NAMES) - set(found) == {"B/x.wav", "a/b/c.mp3"}
    assert closed == {"B/", "a/b/"}
    assert absence(root, "a/b/c.mp3", closed) == "its folder cannot be read"


def test_an_archive_that_cannot_be_read_is_not_taken_for_an_empty_one(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    close(monkeypatch, root)

    with pytest.raises(ArchiveMissing, match="cannot be read: no permission"):
        list(audio_files(root))


def test_links_to_folders_are_not_followed_and_links_to_files_are(root: Path) -> None:
    before = list(audio_files(root))
    (root / "circle.wav").symlink_to(root)
    (root / "linked.wav").symlink_to(root / "a.wav")

    assert set(audio_files(root)) - set(before) == {"linked.wav"}
