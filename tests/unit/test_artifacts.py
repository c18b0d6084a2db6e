"""Objects between stages: whole or absent, and refused when they are not what was written."""

import errno
from pathlib import Path

import numpy as np
import pytest

from workers import artifacts
from workers.errors import ArtifactBroken, DiskFull


@pytest.fixture
def stored(tmp_path: Path) -> artifacts.Stored:
    url = artifacts.batch_url(f"file://{tmp_path}", 7, "extract", 1)
    return artifacts.write(url, {"frames": np.arange(6, dtype=np.float32).reshape(2, 3)})


def test_what_is_written_is_read(stored: artifacts.Stored) -> None:
    np.testing.assert_array_equal(artifacts.read(stored)["frames"], [[0, 1, 2], [3, 4, 5]])


def test_a_changed_or_missing_object_is_broken(stored: artifacts.Stored) -> None:
    path = Path(stored[0].removeprefix("file://"))
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    with pytest.raises(ArtifactBroken, match="changed"):
        artifacts.read(stored)
    path.unlink()
    with pytest.raises(ArtifactBroken, match="missing"):
        artifacts.read(stored)


def test_a_full_disk_has_a_name_and_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from fsspec.implementations.local import LocalFileSystem

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(LocalFileSystem, "mv", full)
    with pytest.raises(DiskFull) as named:
        artifacts.write(artifacts.batch_url(f"file://{tmp_path}", 1, "ser", 1), {"x": np.zeros(3)})
    assert "Free space" in named.value.hint
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_removing_a_batch_twice_is_no_error(stored: artifacts.Stored, tmp_path: Path) -> None:
    for _ in range(2):
        artifacts.remove_batch(f"file://{tmp_path}", 7)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
