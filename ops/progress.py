"""Following a job: one loop that polls Postgres, and two ways of showing what it sees (a terminal, a log).

Workers do the work and write it down; this loop only reads. So it may be interrupted, or lose the database for a
while, without any effect on the job.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from rich.console import Console
from rich.live import Live
from rich.text import Text
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from db.errors import DatabaseUnavailable
from ops import jobs
from ops.jobs import JobStatus

#: Between two looks at the job's state; also how exactly the first score is timed.
TICK_S = 0.2
#: A look at all counters may take this share of the time, so that it stays cheap on archives of any size.
LOOK_SHARE = 0.05
#: The database may be away for so long before following ends (the job does not).
PATIENCE_S = 600.0
#: Ready work that nobody takes for so long is worth a warning, and again after `STALL_REPEAT_S`.
STALL_S = 60.0
STALL_REPEAT_S = 300.0
#: Speed is measured over this much of the past.
PACE_WINDOW_S = 300.0
#: Between two lines where there is no terminal.
LINE_S = 5.0


class Detached(KeyboardInterrupt):
    """Ctrl-C while following: the job goes on without us."""

    def __init__(self, job_id: int) -> None:
        super().__init__(
            f"Job {job_id} goes on in the background. "
            f"Look: tenor status {job_id} --watch   Stop it: tenor cancel {job_id}"
        )
        self.job_id = job_id


@dataclass(frozen=True, slots=True)
class Followed:
    """The job's end, and when its first utterance was scored (clock of `time.monotonic`); None when it scored none."""

    status: JobStatus
    first_score_at: float | None


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
        return (after - before) / (now - since) if after > before and now > since else None

    def left_s(self, status: JobStatus) -> float | None:
        """None while the archive is still being listed, or until something was analysed."""
        speed = self.audio_per_s()
        if speed is None or not status.ingested:
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
        bar = Text(_bar(status), style="cyan") if status.ingested else Text("listing files", style="cyan")
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
    of = f"{status.files:,}" if status.ingested else f"{status.files:,}+"
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


def follow(
    engine: Engine,
    job_id: int,
    show: Display,
    *,
    broker_answers: Callable[[], bool] | None = None,
    on_first_score: Callable[[float], None] | None = None,
    patience_s: float = PATIENCE_S,
    stall_s: float = STALL_S,
) -> Followed:
    """Poll a job until it ended.

    `on_first_score` gets the monotonic time at which the job's first scores were seen. Raises `NotFound`; `Detached` on
    Ctrl-C; `DatabaseUnavailable` when the database stayed away for `patience_s`.
    """
    watch = _Watch(engine, job_id, show, broker_answers, stall_s)
    first_score_at: float | None = None
    away_since: float | None = None
    try:
        while True:
            try:
                scored, ended = watch.glance(first_score_at is None)
                now = time.monotonic()
                if scored and first_score_at is None:
                    first_score_at = now
                    if on_first_score is not None:
                        on_first_score(now)
                status = watch.look(now, ended)
                if away_since is not None:
                    show.say("The database answers again.")
                    away_since = None
                if status is not None and status.ended:
                    return Followed(status, first_score_at)
                time.sleep(TICK_S)
            except (DatabaseUnavailable, DBAPIError) as exc:
                if isinstance(exc, DBAPIError) and not lost(exc):
                    raise
                watch.disconnect()
                now = time.monotonic()
                if away_since is None:
                    away_since = now
                    show.say("The database does not answer; trying again. What was analysed is kept.")
                elif now - away_since > patience_s:
                    raise DatabaseUnavailable(
                        f"the database has not answered for {clock(patience_s)}; job {job_id} continues when it is back",
                        hint=f"See `tenor doctor`; then `tenor status {job_id} --watch`.",
                    ) from exc
                time.sleep(min(5.0, 0.5 + (now - away_since) / 4))
    except KeyboardInterrupt:
        raise Detached(job_id) from None
    finally:
        watch.disconnect()


def lost(exc: DBAPIError) -> bool:
    """True when the connection broke or the server is shutting down or starting, rather than a statement being wrong."""
    state = getattr(exc.orig, "pgcode", None)
    return exc.connection_invalidated or state is None or state.startswith(("57P", "08", "53"))


class _Watch:
    """The polls of one follower, on one connection that is opened again after a loss."""

    def __init__(
        self,
        engine: Engine,
        job_id: int,
        show: Display,
        broker_answers: Callable[[], bool] | None,
        stall_s: float,
    ) -> None:
        self._engine, self._job_id, self._show, self._stall_s = engine, job_id, show, stall_s
        self._broker_answers = broker_answers
        self._conn: Connection | None = None
        self._pace = Pace()
        self._next_look = 0.0
        self._last: JobStatus | None = None
        self._moved_at = self._warn_at = time.monotonic()
        self._broker_away = False

    def disconnect(self) -> None:
        """Drop the connection, whatever state it is in."""
        if self._conn is not None:
            conn, self._conn = self._conn, None
            try:
                conn.close()
            except DBAPIError:
                conn.invalidate()

    def _connection(self) -> Connection:
        if self._conn is None:
            # Autocommit: a poll must not hold a transaction open, or vacuum stops for the whole job.
            self._conn = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        return self._conn

    def glance(self, unscored: bool) -> tuple[bool, bool]:
        """(the job has scored something, the job ended): one cheap query."""
        row = self._connection().execute(
            text("""
                SELECT j.state,
                       :unscored AND EXISTS (SELECT 1 FROM batches WHERE job_id = j.id AND finished_at IS NOT NULL)
                           AS scored
                  FROM jobs j WHERE j.id = :id
            """),
            {"id": self._job_id, "unscored": unscored},
        )
        found = row.one_or_none()
        if found is None:
            jobs.status(self._connection(), self._job_id)  # raises NotFound
            return False, True
        return bool(found.scored), found.state in jobs.ENDED

    def look(self, now: float, ended: bool) -> JobStatus | None:
        """All counters, when it is time; None otherwise."""
        if now < self._next_look and not ended:
            return None
        status = jobs.status(self._connection(), self._job_id)
        spent_s = time.monotonic() - now
        self._next_look = now + max(0.5, spent_s / LOOK_SHARE)
        self._pace.add(now, status.analysed_s)
        self._show.update(status, self._pace)
        self._warn(now, status)
        return status

    def _warn(self, now: float, status: JobStatus) -> None:
        """Say so when nothing moves: a broker that is away, or no workers."""
        moved = self._last is None or _counters(status) != _counters(self._last)
        self._last = status
        if moved or status.ended:
            self._moved_at = self._warn_at = now
            return
        if now - self._warn_at < (10.0 if self._warn_at == self._moved_at else STALL_REPEAT_S):
            return
        if self._broker_answers is not None and not self._broker_answers():
            self._warn_at = now
            self._broker_away = True
            self._show.say("Redis does not answer; work that is in Postgres is sent again when it is back.")
        elif self._broker_away:
            self._broker_away = False
            self._show.say("Redis answers again.")
        elif now - self._moved_at >= self._stall_s and nobody_works(self._connection(), self._job_id, self._stall_s):
            self._warn_at = now
            self._show.say(
                f"Work has been ready for {clock(now - self._moved_at)} and no worker takes it. "
                "Start workers with `tenor up`; `tenor doctor` shows what is wrong."
            )


def _counters(status: JobStatus) -> tuple[object, ...]:
    return status.state, status.ingested, status.files, status.done, status.failed, status.utterances


def nobody_works(conn: Connection, job_id: int, for_s: float) -> bool:
    """True when a stage of the job has been ready for `for_s` seconds while no worker holds a live lease on anything."""
    return bool(
        conn.execute(
            text("""
                SELECT EXISTS (SELECT 1 FROM stages WHERE job_id = :id AND state = 'ready'
                                  AND ready_at < now() - make_interval(secs => :for_s))
                   AND NOT EXISTS (SELECT 1 FROM stages WHERE state = 'running' AND lease_until > now())
            """),
            {"id": job_id, "for_s": for_s},
        ).scalar()
    )
