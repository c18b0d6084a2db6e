"""Walking an archive: the order, what is left out, and going on behind a path."""

from pathlib import Path

import pytest

from workers.files import audio_files

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
