"""What a job's progress looks like: its speed, and two ways of showing it (a terminal, a log)."""

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.live import Live
from rich.text import Text

from ops.jobs import JobStatus

#: Speed is measured over this much of the past.
PACE_WINDOW_S = 300.0
#: Less audio than this is no progress but the rounding of a sum.
ROUNDING_S = 0.1
#: A speed that was measured over less time than this says nothing.
LEAST_S = 5.0
#: Longest bar, in characters.
BAR = 48
SEPARATOR = " · "
#: Between two lines where there is no terminal.
LINE_S = 5.0


class Pace:
    """Audio seconds analysed per second, over a sliding window, and the time that is left at that speed.

    Work is committed in lumps, so that only the moments at which a lump came tell a speed: it is measured from one
    of them to another, never from the start, when models were loaded, or to now, when the next lump is half done.
    """

    def __init__(self, window_s: float = PACE_WINDOW_S) -> None:
        self._window_s = window_s
        self._now, self._ready_s = 0.0, float("inf")
        self._commits: deque[tuple[float, float]] = deque()

    def add(self, now: float, analysed_s: float) -> None:
        """Note how much audio was ready at this moment."""
        if analysed_s - self._ready_s > ROUNDING_S:
            self._commits.append((now, analysed_s))
        self._now, self._ready_s = now, analysed_s
        while len(self._commits) > 2 and self._commits[1][0] <= now - self._window_s:
            self._commits.popleft()

    def audio_per_s(self) -> float | None:
        """None until enough was committed, and when nothing has been for much longer than that took."""
        if len(self._commits) < 2:
            return None
        (since, before), (until, after) = self._commits[0], self._commits[-1]
        span_s = until - since
        return (after - before) / span_s if span_s >= LEAST_S and self._now - until <= 2 * span_s else None

    def left_s(self, status: JobStatus) -> float | None:
        """None while the archive is still being listed, as long as no speed is known, or when the end is overdue."""
        speed = self.audio_per_s()
        if speed is None or not status.listed:
            return None
        at_commit_s = (status.audio_s - status.audio_reused_s - status.analysed_s) / speed
        left_s = at_commit_s - (self._now - self._commits[-1][0])
        return left_s if left_s > 0 else None


class Display(Protocol):
    """Where following shows what it sees."""

    def update(self, status: JobStatus, pace: Pace) -> None:
        """Show the newest counters."""

    def say(self, line: str) -> None:
        """Show something that happened once."""


class Quiet:
    """Shows only what needs attention."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def update(self, status: JobStatus, pace: Pace) -> None:
        """Nothing."""

    def say(self, line: str) -> None:
        """One line."""
        say(self._console, line)


class Lines(Quiet):
    """A plain line every few seconds, for logs."""

    def __init__(self, console: Console, every_s: float = LINE_S) -> None:
        super().__init__(console)
        self._every_s, self._last, self._next = every_s, "", 0.0

    def update(self, status: JobStatus, pace: Pace) -> None:
        """Print when it is time and something is new, and always at the end."""
        now = time.monotonic()
        line = describe(status, pace)
        if line != self._last and (now >= self._next or status.ended):
            self.say(line)
            self._last, self._next = line, now + self._every_s


class Terminal(Quiet):
    """A bar and its figures, which change in place below what was said."""

    def __init__(self, console: Console, live: Live) -> None:
        super().__init__(console)
        self._live = live

    def update(self, status: JobStatus, pace: Pace) -> None:
        """Redraw the bar and its figures, as wide as the window is now."""
        width = self._console.width
        figures = map(Text, _figures(status, pace, width))
        self._live.update(Text("\n").join([*_bar(status, pace, width), *figures]))


@contextmanager
def display(console: Console, *, progress: bool = True) -> Iterator[Display]:
    """The display that fits the console."""
    if not progress:
        yield Quiet(console)
    elif not console.is_terminal:
        yield Lines(console)
    else:
        with Live(Text("waiting for workers", style="cyan"), console=console, transient=True) as live:
            yield Terminal(console, live)


def say(console: Console, line: str) -> None:
    """Print a line as it is: no markup (paths hold brackets), no wrapping (logs are searched by line)."""
    console.print(line, markup=False, highlight=False, soft_wrap=True)


def clock(seconds: float) -> str:
    """h:mm:ss, or m:ss below an hour."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def describe(status: JobStatus, pace: Pace) -> str:
    """The counters of a job in one line."""
    if not status.files and not status.listed and not status.ended:
        since = "paused" if status.state == "paused" else f"{clock(status.elapsed_s)} elapsed"
        return f"job {status.job_id}: listing files, {since}"
    return f"job {status.job_id}: " + ", ".join([*_counts(status), *_speed(status, pace), _since(status)])


def _counts(status: JobStatus) -> list[str]:
    of = f"{status.files:,}" if status.listed else f"{status.files:,}+"
    parts = [f"{status.done:,}/{of} recordings"]
    if status.failed:
        parts.append(f"{status.failed:,} failed")
    if status.reused:
        parts.append(f"{status.reused:,} reused")
    parts.append(audio(status.audio_reused_s + status.analysed_s, status.audio_s))
    parts.append(f"{status.utterances:,} utterances")
    if status.warnings:
        parts.append(f"{status.warnings:,} with warnings")
    return parts


def _speed(status: JobStatus, pace: Pace) -> list[str]:
    speed = pace.audio_per_s()
    if speed is None or not _moves(status):
        return []
    left_s = pace.left_s(status)
    return [f"{speed:.1f} × real time", *([f"ETA {clock(left_s)}"] if left_s is not None else [])]


def _moves(status: JobStatus) -> bool:
    return not status.ended and status.state != "paused"


def _since(status: JobStatus) -> str:
    return f"{clock(status.elapsed_s)} elapsed" if _moves(status) else status.state


def audio(done_s: float, all_s: float) -> str:
    """How many hours of how many, as exactly as their number wants it; minutes below an hour."""
    unit_s, unit = (60, "min") if all_s < 3600 else (3600, "h")
    digits = 1 if all_s < 3_600_000 else 0
    return f"{min(done_s, all_s) / unit_s:,.{digits}f}/{all_s / unit_s:,.{digits}f} {unit}"


def _bar(status: JobStatus, pace: Pace, width: int) -> list[Text]:
    """The bar between the job's number and the time that is left; none as long as nobody knows how much there is."""
    if not status.listed:
        return []
    new_s = status.audio_s - status.audio_reused_s
    share = min(1.0, status.analysed_s / new_s) if new_s > 0 else (0.0 if status.open else 1.0)
    left_s = pace.left_s(status) if _moves(status) else None
    name = f"job {status.job_id} "
    after = f" {share:4.0%}" + ("" if left_s is None else f"  ETA {clock(left_s)}")
    length = max(8, min(BAR, width - len(name) - len(after)))
    full = int(share * length)
    return [Text.assemble(name, ("━" * full, "cyan"), ("╌" * (length - full), "dim"), after)]


def _figures(status: JobStatus, pace: Pace, width: int) -> list[str]:
    """The counters; a narrow window breaks them between two, not within one."""
    if not status.listed:
        return [describe(status, pace)]
    lines: list[str] = []
    for part in [*_counts(status), *_speed(status, pace)[:1], _since(status)]:
        if lines and len(lines[-1]) + len(SEPARATOR) + len(part) <= width:
            lines[-1] += SEPARATOR + part
        else:
            lines.append(part)
    return lines
