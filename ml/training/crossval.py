"""Folds in processes of their own, each of which can be resumed.

A fold's folder gets `result.json` when it is done, and a checkpoint while it is not; a run that is started again makes
only what is missing.
"""

import json
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from queue import Empty
from typing import Any, Generic, TypeVar

import torch

from ml.training.trainer import Progress

CHECKPOINT, RESULT = "checkpoint.safetensors", "result.json"
#: Seconds between looks at what the folds report.
POLL_S = 0.2

Job = TypeVar("Job")


@dataclass(frozen=True, slots=True)
class Piece(Generic[Job]):
    """One fold of one model: its name for people, its folder, and what a process needs to compute it."""

    name: str
    folder: Path
    job: Job


Report = Callable[[str, Progress], None]
#: Computes a fold into its folder, `result.json` last. It has to be a function of a module, to reach other processes.
Compute = Callable[[Job, Path, Callable[[Progress], None]], None]


def missing(pieces: Sequence[Piece[Job]]) -> list[Piece[Job]]:
    """Those that have no result yet."""
    return [piece for piece in pieces if not (piece.folder / RESULT).is_file()]


def result_of(piece: Piece[Any]) -> dict[str, Any]:
    """A finished fold's result."""
    result: dict[str, Any] = json.loads((piece.folder / RESULT).read_text(encoding="utf-8"))
    return result


def compute_all(pieces: Sequence[Piece[Job]], compute: Compute[Job], *, workers: int, report: Report) -> None:
    """Compute what is missing, `workers` at a time; an error of one ends the run, what is done stays done.

    A single worker is this process.
    """
    todo = missing(pieces)
    if workers <= 1 or len(todo) <= 1:
        for piece in todo:
            compute(piece.job, piece.folder, lambda progress, name=piece.name: report(name, progress))  # type: ignore[misc]
        return
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager:
        said = manager.Queue()
        threads = max(1, torch.get_num_threads() // workers)
        with ProcessPoolExecutor(
            min(workers, len(todo)), mp_context=context, initializer=_begin, initargs=(threads,)
        ) as pool:
            futures = [pool.submit(_compute, compute, piece, said) for piece in todo]
            try:
                for name, progress in _said(said, futures):
                    report(name, progress)
                for future in futures:
                    future.result()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                for process in list((pool._processes or {}).values()):
                    process.terminate()
                raise


def _said(said: Any, futures: Sequence[Future[None]]) -> Iterator[tuple[str, Progress]]:
    """What folds report until all have ended or one has failed."""
    waiting = set(futures)
    while waiting:
        ended, waiting = wait(waiting, timeout=POLL_S, return_when=FIRST_COMPLETED)
        while True:
            try:
                yield said.get_nowait()
            except Empty:
                break
        if any(future.exception() for future in ended):
            return


def _begin(threads: int) -> None:
    """A fold's process: its share of the cores, and no life without the run that started it."""
    torch.set_num_threads(threads)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def _compute(compute: Compute[Job], piece: Piece[Job], said: Any) -> None:
    compute(piece.job, piece.folder, lambda progress: said.put((piece.name, progress)))
