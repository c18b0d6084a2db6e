"""Folds in processes of their own: what is done stays done, and an error of one is told."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ml.training.checkpoint import write_json
from ml.training.crossval import RESULT, Piece, compute_all, missing, result_of
from ml.training.trainer import Progress


def square(job: int, folder: Path, report: Callable[[Progress], None]) -> None:
    """Say where it is, then write the result; 3 cannot be computed."""
    if job == 3:
        raise ValueError("three cannot be computed")
    report(Progress(job, 10, {"total": 0.5}, {}))
    write_json(folder / RESULT, {"square": job * job})


def pieces(folder: Path, jobs: list[int]) -> list[Piece[int]]:
    return [Piece(f"job {job}", folder / str(job), job) for job in jobs]


def test_what_is_done_is_not_computed_again(tmp_path: Path) -> None:
    said: list[str] = []
    write_json(tmp_path / "1" / RESULT, {"square": "from before"})

    compute_all(pieces(tmp_path, [1, 2]), square, workers=1, report=lambda name, _: said.append(name))

    assert said == ["job 2"]
    assert [result_of(piece)["square"] for piece in pieces(tmp_path, [1, 2])] == ["from before", 4]


def test_folds_in_parallel_report_and_an_error_of_one_leaves_the_others_done(tmp_path: Path) -> None:
    said: list[tuple[str, int]] = []

    with pytest.raises(ValueError, match="three cannot be computed"):
        compute_all(pieces(tmp_path, [1, 2, 3]), square, workers=2, report=lambda name, p: said.append((name, p.step)))

    assert ("job 1", 1) in said
    assert json.loads((tmp_path / "1" / RESULT).read_text()) == {"square": 1}
    assert [piece.job for piece in missing(pieces(tmp_path, [3]))] == [3]
