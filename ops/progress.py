"""Following a job: a live line in a terminal, a plain line now and then elsewhere."""

import time
from collections.abc import Callable, Iterator
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.text import Text
from sqlalchemy import Engine

from db.errors import DatabaseUnavailable
from ops import jobs
from ops.local.errors import ServiceFailed

FINAL = ("done", "failed", "cancelled")
POLL_S = 0.25
PLAIN_EVERY_S = 5.0
#: Postgres may restart under a running job; this long nobody is told that it is gone for good.
PATIENCE_S = 120.0


def describe(row: dict[str, Any], elapsed_s: float) -> str:
    """One line: how far, how fast, how long still."""
    if not row["files"]:
        return f"job {row['job_id']}: looking through the archive"
    rate = row["audio_done_s"] / elapsed_s if elapsed_s else 0.0
    left = max(0.0, row["audio_s"] - row["audio_done_s"])
    parts = [
        f"job {row['job_id']}: {row['done'] + row['failed']}/{row['files']}{'' if row['listed'] else '+'} recordings",
        f"{row['utterances']} utterances",
    ]
    if row["failed"]:
        parts.append(f"{row['failed']} failed")
    if row["reused"]:
        parts.append(f"{row['reused']} reused")
    if rate:
        parts.append(f"{rate:.0f} x real time")
        if row["open"] and row["listed"]:
            parts.append(f"{_duration(left / rate)} left")
    return " · ".join(parts)


def follow(
    engine: Engine,
    job_id: int,
    console: Console,
    *,
    started: float,
    alive: Callable[[], str | None] = lambda: None,
) -> tuple[dict[str, Any], float | None]:
    """Watch a job until it ends; returns its last row and the seconds from `started` to its first score.

    `alive` returns a sentence when no worker can do the work, which ends the watching as `ServiceFailed`. A database
    that goes away is waited for.
    """
    first_score_s: float | None = None
    with _display(console) as show:
        for row in _rows(engine, job_id, show):
            elapsed = time.monotonic() - started
            if first_score_s is None and jobs.first_score(engine, job_id):
                first_score_s = elapsed
            show(describe(row, elapsed))
            if row["state"] in FINAL:
                return row, first_score_s
            if (trouble := alive()) is not None:
                raise ServiceFailed(trouble)
    raise AssertionError("a job is watched until it ends")


def _rows(engine: Engine, job_id: int, show: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    gone_since: float | None = None
    while True:
        try:
            row = jobs.status(engine, job_id)
            gone_since = None
            yield row
        except DatabaseUnavailable:
            gone_since = gone_since or time.monotonic()
            if time.monotonic() - gone_since > PATIENCE_S:
                raise
            show("Postgres does not answer; waiting for it")
        time.sleep(POLL_S)


class _display:
    """A function that shows one line: replaced in a terminal, repeated at intervals elsewhere."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, refresh_per_second=8, transient=True) if console.is_terminal else None
        self._last, self._said = 0.0, ""

    def __enter__(self) -> Callable[[str], None]:
        if self._live is not None:
            self._live.start()
        return self._show

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def _show(self, line: str) -> None:
        if self._live is not None:
            self._live.update(Text(line))
        elif time.monotonic() - self._last > PLAIN_EVERY_S and line != self._said:
            self._last, self._said = time.monotonic(), line
            self._console.print(line, highlight=False, markup=False)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
