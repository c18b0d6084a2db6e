"""What the stages of a run share: claim, work under a renewed lease, one commit, then a hint for what comes next."""

import logging
import time
import uuid
from collections.abc import Callable
from functools import partial
from typing import Any

from celery import Celery, Task
from kombu.exceptions import OperationalError as BrokerError
from redis.exceptions import RedisError
from sqlalchemy import Connection, Engine, text

from db.engine import is_passing
from db.errors import LeaseLost
from ml.corpora.sound import RecordingUnusable
from workers import context
from workers.errors import RunRefused
from workers.ledger import limits
from workers.ledger.dispatch import RETRY
from workers.ledger.patience import transaction
from workers.ledger.working import under_lease
from workers.queues import ROUTES, TASK_OF_RUN_STAGE
from workers.retraining import runs
from workers.retraining.runs import Run
from workers.settings import Settings
from workers.telling import announce

logger = logging.getLogger(__name__)

#: Progress is written down at most so often.
NOTE_S = 1.0
#: After a line that could not be sent to Flower, none is tried for so long.
SILENT_S = 60.0
#: Writes what a stage found and moves the run on; called inside a transaction.
Commit = Callable[[Connection], None]


class Watch:
    """What a stage tells about itself while it works; says when to stop."""

    def __init__(self, task: "Task[Any, Any]", engine: Engine, run: Run) -> None:
        self._task, self._engine, self._run, self._said, self._gone = task, engine, run, 0.0, False
        self._announce_at = 0.0

    def __call__(self, doing: str, done: int, of: int, **figures: float) -> None:
        """Note how far it is."""
        now = time.monotonic()
        if done < of and now - self._said < NOTE_S:
            return
        self._said = now
        progress = {"doing": doing, "done": done, "of": of, **figures}
        try:
            with self._engine.begin() as conn:
                self._gone = not runs.note(conn, self._run, progress)
        except Exception as exc:
            # Nobody waits for this line; the lease and the commit have their own patience.
            logger.warning("progress of run %d could not be noted (%s)", self._run.id, type(exc).__name__)
        if now >= self._announce_at:
            self._announce(_told(progress))

    def _announce(self, line: str) -> None:
        try:
            announce(self._task.app, str(self._task.request.hostname), str(self._run.task_id), line)
        except Exception as exc:
            # Training does not wait for a broker that is away, line by line.
            self._announce_at = time.monotonic() + SILENT_S
            logger.info("progress of run %d could not be told (%s)", self._run.id, type(exc).__name__)

    def stopped(self) -> bool:
        """True when the run was cancelled or taken over: whatever comes of it would be refused."""
        return self._gone

    def check(self) -> None:
        """Raise `LeaseLost` when `stopped`."""
        if self._gone:
            raise self.lost()

    def lost(self) -> LeaseLost:
        """The error that ends work which nobody wants any more."""
        return LeaseLost(f"{self._run.lease} was cancelled or taken over")


def run(task: "Task[Any, Any]", run_id: int, stage: str, work: Callable[[Run, Watch], Commit]) -> str:
    """Do one stage of a run once (`working.under_lease`); an error gives it back, a refusal ends it."""
    settings, engine = context.settings(), context.engine()
    task_id = uuid.UUID(str(task.request.id))

    def claim(conn: Connection) -> tuple[Run, dict[str, Any]] | None:
        own = runs.claim(conn, run_id, stage, task_id, lease_s=settings.lease_s, tries=settings.max_tries)
        return None if own is None else (own, {"run": own.id, "stage": stage, "attempt": own.attempt})

    def done(own: Run) -> Callable[[], str]:
        watch = Watch(task, engine, own)
        try:
            commit = work(own, watch)
        except RunRefused as exc:
            commit = partial(refuse, claimed=own, refusal=exc)
        except RecordingUnusable as exc:
            # Another attempt would meet the same file.
            commit = partial(refuse, claimed=own, refusal=RunRefused(exc.code, f"{exc}. {exc.hint}"))
        except Exception as exc:
            if watch.stopped():
                raise watch.lost() from exc
            raise
        transaction(engine, commit, patience_s=settings.patience_s)
        return following

    def following() -> str:
        go_on(task.app, engine, settings)
        return _summary(engine, run_id)

    return under_lease(
        f"run {run_id} at {stage}",
        claim,
        done,
        lambda conn, own, exc: runs.fail(conn, own, exc, max_tries=settings.max_tries),
        lambda: go_on(task.app, engine, settings),
    )


def _told(progress: dict[str, Any]) -> str:
    left = f", {progress['eta_s']:.0f} s left" if progress.get("eta_s") else ""
    return f"{progress['doing']}, {progress['done']} of {progress['of']}{left}"


def refuse(conn: Connection, claimed: Run, refusal: RunRefused, **numbers: Any) -> None:
    """End a run that cannot come to a better model."""
    runs.conclude(conn, claimed, "refused", "refused", str(refusal), {**numbers, "code": refusal.code})


def go_on(app: Celery, engine: Engine, settings: Settings) -> int:
    """Let the next run begin where there is room, and send the hints that are missing; returns how many."""
    try:
        with engine.begin() as conn:
            runs.admit(conn)
        return send(app, engine, settings)
    except Exception as exc:
        if not is_passing(exc):
            raise
        logger.warning("the next tick will send what comes next (%s)", type(exc).__name__)
        return 0


def send(app: Celery, engine: Engine, settings: Settings, *, again_s: float | None = None) -> int:
    """Publish a hint for each ready run that has none, or none since `again_s` seconds; returns how many."""
    with engine.connect() as conn:
        rows = conn.execute(
            text("""
                SELECT r.id, r.stage, r.root_id, r.task_id, r.plan ->> 'method' AS method, p.name AS profile
                  FROM training_runs r JOIN profiles p ON p.id = r.profile_id
                 WHERE r.state = 'ready' AND r.ready_at <= now()
                   AND (r.sent_at IS NULL OR r.sent_at < now() - make_interval(secs => CAST(:again AS float)))
            """),
            {"again": again_s},
        ).all()
    limit = settings.retrain_limit_s
    for sent, row in enumerate(rows):
        name = TASK_OF_RUN_STAGE[row.stage]
        try:
            app.send_task(
                name,
                # Readable in Flower, which shows a task's arguments.
                kwargs={"run_id": row.id, "profile": row.profile, "method": row.method or "auto"},
                queue=ROUTES[name],
                # The root of a run's messages is its first task.
                task_id=str(row.root_id if row.task_id is None else uuid.uuid4()),
                root_id=str(row.root_id),
                parent_id=str(row.task_id) if row.task_id else None,
                soft_time_limit=limit,
                time_limit=limits.hard_s(limit),
                retry_policy=RETRY,
            )
        except (BrokerError, RedisError, OSError):
            logger.warning("no hint could be sent for run %d; the next tick will", row.id)
            return sent
        with engine.begin() as conn:
            conn.execute(
                text("UPDATE training_runs SET sent_at = now() WHERE id = :id AND state = 'ready' AND stage = :stage"),
                {"id": row.id, "stage": row.stage},
            )
    return len(rows)


def _summary(engine: Engine, run_id: int) -> str:
    with engine.connect() as conn:
        row = conn.execute(
            text("SELECT state, stage, decision, reason FROM training_runs WHERE id = :id"), {"id": run_id}
        ).one()
    if row.decision is not None:
        return f"run {run_id} {row.decision}: {row.reason}"
    return f"run {run_id} goes on to {row.stage}"
