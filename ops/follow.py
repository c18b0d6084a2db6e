"""Following a job: one loop that polls Postgres until the job ended.

Workers do the work and write it down; this loop only reads. So it may be interrupted, or lose the database
for a while, without any effect on the job.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from db.engine import is_connection_problem
from db.errors import DatabaseUnavailable
from ops import jobs
from ops.jobs import JobStatus
from ops.progress import Display, Pace, clock

#: Between two looks at the job's state; also how exactly the first score is timed.
TICK_S = 0.2
#: A look at all counters may take this share of the time, so that it stays cheap on archives of any size.
LOOK_SHARE = 0.05
#: The database may be away for so long before following ends (the job does not).
PATIENCE_S = 600.0
#: When nothing has moved for so long, the broker is asked whether it is there.
BROKER_CHECK_S = 10.0
#: Ready work that nobody takes for so long is worth a warning, and again after `STALL_REPEAT_S`.
STALL_S = 60.0
STALL_REPEAT_S = 300.0


class Detached(KeyboardInterrupt):
    """Ctrl-C while following: the job goes on without us, unless it is paused."""

    def __init__(self, job_id: int, *, paused: bool = False) -> None:
        super().__init__(
            f"Job {job_id} stays paused. Go on: tenor resume {job_id}   Stop it: tenor cancel {job_id}"
            if paused
            else f"Job {job_id} goes on in the background. "
            f"Look: tenor status {job_id} --watch   Stop it: tenor cancel {job_id}"
        )
        self.job_id = job_id


@dataclass(frozen=True, slots=True)
class Followed:
    """A job's end, and when its first scores were seen (clock of `time.monotonic`; None: it wrote none)."""

    status: JobStatus
    first_score_at: float | None


def follow(
    engine: Engine,
    job_id: int,
    show: Display,
    *,
    broker_answers: Callable[[], bool] | None = None,
    workers_run: Callable[[], bool] | None = None,
    on_first_score: Callable[[float], None] | None = None,
    patience_s: float = PATIENCE_S,
    stall_s: float = STALL_S,
) -> Followed:
    """Poll a job until it ended.

    `on_first_score` gets the monotonic time at which the job's first scores were seen; `workers_run` tells whether the
    worker processes of this machine are there, as `broker_answers` does of Redis. Raises `NotFound`;
    `Detached` on Ctrl-C; `DatabaseUnavailable` when the database stayed away for `patience_s`.
    """
    watch = _Watch(engine, job_id, show, broker_answers, workers_run, stall_s)
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
                        f"the database has not answered for {clock(patience_s)}",
                        hint=f"Job {job_id} goes on when it is back; see `tenor doctor`.",
                    ) from exc
                time.sleep(min(5.0, 0.5 + (now - away_since) / 4))
    except KeyboardInterrupt:
        raise Detached(job_id, paused=watch.paused) from None
    finally:
        watch.disconnect()


def lost(exc: DBAPIError) -> bool:
    """True when the connection broke or the server stops or starts, rather than a statement being wrong."""
    return exc.connection_invalidated or is_connection_problem(exc)


class _Watch:
    """The polls of one follower, on one connection that is opened again after a loss."""

    def __init__(
        self,
        engine: Engine,
        job_id: int,
        show: Display,
        broker_answers: Callable[[], bool] | None,
        workers_run: Callable[[], bool] | None,
        stall_s: float,
    ) -> None:
        self._engine, self._job_id, self._show, self._stall_s = engine, job_id, show, stall_s
        self._broker_answers, self._workers_run = broker_answers, workers_run
        self._conn: Connection | None = None
        self._pace = Pace()
        self._next_look = 0.0
        self._last: JobStatus | None = None
        #: At the last look.
        self.paused = False
        self._moved_at = time.monotonic()
        self._stall_at = self._moved_at + stall_s
        self._broker_at = self._moved_at + BROKER_CHECK_S
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
                       :unscored AND EXISTS (
                           SELECT 1 FROM batches b
                             JOIN stages s ON s.batch_id = b.id AND s.stage = 'fuse' AND s.state = 'done'
                            WHERE b.job_id = j.id AND b.finished_at IS NOT NULL) AS scored
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
        self.paused = status.state == "paused"
        self._show.update(status, self._pace)
        self._warn(now, status)
        return status

    def _warn(self, now: float, status: JobStatus) -> None:
        """Say so when nothing moves: a broker that is away, or no workers."""
        moved = self._last is None or _counters(status) != _counters(self._last)
        self._last = status
        if moved:
            self._moved_at = now
            self._stall_at = now + self._stall_s
            if not self._broker_away:
                self._broker_at = now + BROKER_CHECK_S
        if status.ended or status.state == "paused":
            return
        if now >= self._broker_at and self._broker_answers is not None:
            self._broker_at = now + BROKER_CHECK_S
            away = not self._broker_answers()
            if away != self._broker_away:
                self._broker_away = away
                self._show.say(
                    "Redis does not answer; what it held is sent again when it is back."
                    if away
                    else "Redis answers again."
                )
        if now >= self._stall_at and nobody_works(self._connection(), self._job_id, self._stall_s):
            self._stall_at = now + STALL_REPEAT_S
            waited = f"Work has been ready for {clock(now - self._moved_at)} and no worker "
            if self._workers_run is not None and self._workers_run():
                self._show.say(
                    f"{waited}has taken it yet: they run, and load their models first. "
                    "If this lasts, `tenor doctor` says where their logs are."
                )
            else:
                self._show.say(f"{waited}takes it. Start workers with `tenor up`; `tenor doctor` shows what is wrong.")


def _counters(status: JobStatus) -> tuple[object, ...]:
    return status.state, status.listed, status.files, status.done, status.failed, status.utterances


def nobody_works(conn: Connection, job_id: int, for_s: float) -> bool:
    """True when work of the job has been ready for `for_s` seconds and no worker holds any lease."""
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
