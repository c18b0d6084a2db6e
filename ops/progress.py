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
#: Between two lines where there is no terminal.
LINE_S = 5.0


class Pace:
    """Audio seconds analysed per second, over a sliding window, and the time that is left at that speed."""

    def __init__(self, window_s: float = PACE_WINDOW_S) -> None:
        self._window_s = window_s
        self._seen: deque[tuple[float, float]] = deque()

    def add(self, now: float, analysed_s: float) -> None:
        """Note how much audio was ready at this moment."""
        self._seen.append((now, analysed_s))
        while len(self._seen) > 2 and self._seen[1][0] <= now - self._window_s:
            self._seen.popleft()

    def audio_per_s(self) -> float | None:
        """None until something was analysed."""
        if len(self._seen) < 2:
            return None
        (since, before), (now, after) = self._seen[0], self._seen[-1]
        # Sums of reals differ by a little when nothing happened.
        return (after - before) / (now - since) if after - before > ROUNDING_S and now > since else None

    def left_s(self, status: JobStatus) -> float | None:
        """None while the archive is still being listed, or until something was analysed."""
        speed = self.audio_per_s()
        if speed is None or not status.listed:
            return None
        return max(0.0, status.audio_s - status.audio_reused_s - status.analysed_s) / speed


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
    """One line that changes in place, below what was said."""

    def __init__(self, console: Console, live: Live) -> None:
        super().__init__(console)
        self._live = live

    def update(self, status: JobStatus, pace: Pace) -> None:
        """Redraw the bar and its figures."""
        bar = (_bar(status), "cyan") if status.listed else ""
        self._live.update(Text.assemble(bar, " ", describe(status, pace)))


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
        return f"job {status.job_id}: listing files, {clock(status.elapsed_s)} elapsed"
    of = f"{status.files:,}" if status.listed else f"{status.files:,}+"
    parts = [f"job {status.job_id}: {status.done:,}/{of} recordings"]
    if status.failed:
        parts.append(f"{status.failed:,} failed")
    if status.reused:
        parts.append(f"{status.reused:,} reused")
    parts.append(f"{status.utterances:,} utterances")
    if (speed := pace.audio_per_s()) is not None and not status.ended:
        parts.append(f"{speed:.1f} s of audio per s")
    if (left_s := pace.left_s(status)) is not None and not status.ended:
        parts.append(f"ETA {clock(left_s)}")
    parts.append(f"{clock(status.elapsed_s)} elapsed" if not status.ended else status.state)
    return ", ".join(parts)


def _bar(status: JobStatus, width: int = 24) -> str:
    new_s = status.audio_s - status.audio_reused_s
    share = min(1.0, status.analysed_s / new_s) if new_s > 0 else (0.0 if status.open else 1.0)
    full = int(share * width)
    return "━" * full + "╌" * (width - full) + f" {share:4.0%}"
