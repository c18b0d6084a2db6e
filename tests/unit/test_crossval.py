"""Folds in processes of their own: what is done stays done, and an error of one is told."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ml.training.checkpoint import write_json
from ml.training.crossval import RESULT, Piece, compute_all, missing, result_of
from ml.training.trainer import Progress

ROOT = Path(__file__).parents[2]


def square(job: int, folder: Path, report: Callable[[Progress], None]) -> None:
    """Say where it is, then write the result; 3 cannot be computed."""
    if job == 3:
        raise ValueError("three cannot be computed")
    report(Progress(job, 10, {"total": 0.5}, {}))
    write_json(folder / RESULT, {"square": job * job})


def sleep(job: int, folder: Path, report: Callable[[Progress], None]) -> None:
    """Say who it is, and take for ever."""
    folder.mkdir(parents=True)
    (folder / ".pid").write_text(str(os.getpid()))
    (folder / ".pid").rename(folder / "pid")
    time.sleep(600)


def wait_for(look: Callable[[], list[int]], count: int) -> list[int]:
    """What is seen as soon as there are so many of it."""
    deadline = time.monotonic() + 120
    while len(found := look()) < count and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


def pieces(folder: Path, jobs: list[int]) -> list[Piece[int]]:
    return [Piece(f"job {job}", folder / str(job), job) for job in jobs]


def test_what_is_done_is_not_computed_again(tmp_path: Path) -> None:
    said: list[str] = []
    write_json(tmp_path / "1" / RESULT, {"square": "from before"})

    compute_all(pieces(tmp_path, [1, 2]), square, workers=1, report=lambda name, _: said.append(name))

    assert said == ["job 2"]
    assert [result_of(piece)["square"] for piece in pieces(tmp_path, [1, 2])] == ["from before", 4]


def test_an_error_of_one_ends_the_run_and_what_is_done_stays_done(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="three cannot be computed"):
        compute_all(pieces(tmp_path, [1, 3, 2]), square, workers=1, report=lambda name, progress: None)

    assert [piece.job for piece in missing(pieces(tmp_path, [1, 2, 3]))] == [2, 3]


def test_folds_in_parallel_are_all_computed_and_report(tmp_path: Path) -> None:
    said: set[tuple[str, int]] = set()

    compute_all(pieces(tmp_path, [1, 2, 4]), square, workers=2, report=lambda name, p: said.add((name, p.step)))

    assert said == {("job 1", 1), ("job 2", 2), ("job 4", 4)}
    assert [result_of(piece)["square"] for piece in pieces(tmp_path, [1, 2, 4])] == [1, 4, 16]


def test_folds_end_with_the_run_that_was_killed(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path; from tests.unit.test_crossval import pieces, sleep; "
        "from ml.training.crossval import compute_all; "
        f"compute_all(pieces(Path({str(tmp_path)!r}), [1, 2]), sleep, workers=2, report=lambda name, p: None)"
    )
    run = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
    folds = wait_for(lambda: [int(path.read_text()) for path in tmp_path.glob("*/pid")], 2)
    run.kill()
    run.wait()

    deadline = time.monotonic() + 60
    while any(Path(f"/proc/{pid}").exists() for pid in folds) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(Path(f"/proc/{pid}").exists() for pid in folds)
