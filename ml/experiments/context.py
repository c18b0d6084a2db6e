"""What every part of a run shares: the plan, its folder, the cache, how many processes, and who is watching."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ml.experiments.plan import Plan
from ml.training.crossval import Compute, Job, Piece, compute_all, result_of
from ml.training.features import CachePlace
from ml.training.trainer import Progress


class Watcher(Protocol):
    """Where a run shows what it does."""

    def begin(self, stage: str, pieces: int) -> None:
        """A stage of so many folds begins."""

    def counted(self, what: str, done: int, total: int) -> None:
        """Items are prepared."""

    def trained(self, name: str, progress: Progress) -> None:
        """A fold has looked at its development set."""

    def say(self, line: str) -> None:
        """Something that happened once."""


class Unwatched:
    """Nobody looks."""

    def begin(self, stage: str, pieces: int) -> None:
        """Nothing."""

    def counted(self, what: str, done: int, total: int) -> None:
        """Nothing."""

    def trained(self, name: str, progress: Progress) -> None:
        """Nothing."""

    def say(self, line: str) -> None:
        """Nothing."""


@dataclass(frozen=True, slots=True)
class Context:
    """One run at work."""

    plan: Plan
    out: Path
    cache: CachePlace
    workers: int
    watch: Watcher

    def compute(self, stage: str, pieces: list[Piece[Job]], compute: Compute[Job]) -> list[dict[str, Any]]:
        """Results of all pieces, of which those that are missing are computed."""
        self.watch.begin(stage, len(pieces))
        compute_all(pieces, compute, workers=self.workers, report=self.watch.trained)
        return [result_of(piece) for piece in pieces]

    def folder(self, *names: str) -> Path:
        """Where a part of the run belongs; names may be an encoder's path or a speaker."""
        return self.out.joinpath(*(slug(name) for name in names))


def slug(name: str) -> str:
    """A name as a file's name."""
    return re.sub(r"[^\w.-]+", "_", name).strip("._") or "_"
