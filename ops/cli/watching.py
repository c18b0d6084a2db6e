"""A training run on the screen: bars with the time that is left, or plain lines where there is no terminal."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from ml.experiments.context import Watcher
from ml.training.trainer import Progress

#: Seconds between two lines of one fold where there is no terminal.
LINE_S = 15.0


def described(progress: Progress) -> str:
    """A fold's newest figures."""
    parts = [f"loss {progress.losses['total']:.3f}"] if "total" in progress.losses else []
    if progress.development:
        parts.append(f"development {progress.development['score']:.3f}")
    return ", ".join(parts)


class Lines:
    """For logs."""

    def __init__(self, console: Console) -> None:
        self._console, self._last, self._begun = console, dict[str, float](), time.monotonic()

    def begin(self, stage: str, pieces: int) -> None:
        """One line."""
        self.say(f"{stage}: {pieces} fold{'' if pieces == 1 else 's'}")

    def counted(self, what: str, done: int, total: int) -> None:
        """A line now and then, and at the end."""
        if done == total or self._due(what):
            self.say(f"{what}: {done:,}/{total:,}")

    def trained(self, name: str, progress: Progress) -> None:
        """A line now and then."""
        if self._due(name):
            self.say(f"{name}: step {progress.step:,}/{progress.steps:,}, {described(progress)}")

    def say(self, line: str) -> None:
        """One line, with the seconds since the start."""
        seconds = time.monotonic() - self._begun
        self._console.print(f"{seconds:7.0f} s  {line}", markup=False, highlight=False, soft_wrap=True)

    def _due(self, name: str) -> bool:
        now = time.monotonic()
        due = now - self._last.get(name, float("-inf")) >= LINE_S
        if due:
            self._last[name] = now
        return due


class Screen:
    """For terminals: a bar for the stage, and one per fold at work."""

    def __init__(self, bars: Bars) -> None:
        self._bars, self._tasks, self._steps = bars, dict[str, TaskID](), dict[str, int]()
        self._stage: TaskID | None = None
        self._pieces = 0

    def begin(self, stage: str, pieces: int) -> None:
        """A new bar, whose length is all steps of all folds."""
        for task in self._tasks.values():
            self._bars.remove_task(task)
        self._tasks, self._steps, self._pieces = {}, {}, pieces
        self._stage = self._bars.add_task(stage, total=None)

    def counted(self, what: str, done: int, total: int) -> None:
        """The bar of what is prepared."""
        if what not in self._tasks:
            self._tasks[what] = self._bars.add_task(what, total=total)
        self._bars.update(self._tasks[what], completed=done, total=total)

    def trained(self, name: str, progress: Progress) -> None:
        """Move a fold's bar and its stage's."""
        if name not in self._tasks:
            self._tasks[name] = self._bars.add_task(name, total=progress.steps)
        self._bars.update(
            self._tasks[name],
            completed=progress.step,
            total=progress.steps,
            description=f"{name}: {described(progress)}",
        )
        self._steps[name] = progress.step
        if self._stage is not None:
            done, total = sum(self._steps.values()), progress.steps * self._pieces
            self._bars.update(self._stage, completed=done, total=total)

    def say(self, line: str) -> None:
        """A line above the bars."""
        self._bars.console.print(line, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def watching(console: Console) -> Iterator[Watcher]:
    """The watcher that fits the console."""
    if not console.is_terminal:
        yield Lines(console)
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("ETA"),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=console, transient=True) as bars:
        yield Screen(bars)
