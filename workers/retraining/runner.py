"""What the stages of a run share: claim, work under a renewed lease, one commit, then a hint for what comes next."""

import logging
import time
import uuid
from collections.abc import Callable
from typing import Any

from celery import Celery, Task
from kombu.exceptions import OperationalError as BrokerError
from redis.exceptions import RedisError
from sqlalchemy import Connection, Engine, text

from db.engine import is_passing
from db.errors import LeaseLost
from workers import context, failures, limits, logs
from workers.dispatch import RETRY
from workers.errors import RunRefused
from workers.leases import Renewer
from workers.patience import transaction
from workers.queues import ROUTES, TASK_OF_RUN_STAGE
from workers.retraining import runs
from workers.retraining.runs import Run
from workers.settings import Settings

logger = logging.getLogger(__name__)

#: Progress is written down at most so often.
NOTE_S = 1.0
#: Writes what a stage found and moves the run on; called inside a transaction.
Commit = Callable[[Connection], None]


class Watch:
    """What a stage tells about itself while it works; says when to stop."""

    def __init__(self, engine: Engine, run: Run) -> None:
        self._engine, self._run, self._said, self._gone = engine, run, 0.0, False

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

    def stopped(self) -> bool:
        """True when the run was cancelled or taken over: whatever comes of it would be refused."""
        return self._gone

    def check(self) -> None:
        """Raise `LeaseLost` when `stopped`."""
        if self._gone:
            raise LeaseLost(f"run {self._run.id} was cancelled or taken over")


def run(task: "Task[Any, Any]", run_id: int, stage: str, work: Callable[[Run, Watch], Commit]) -> str:
    """Do one stage of a run once; a hint for what is done, cancelled or somebody else's does nothing."""
    settings, engine = context.settings(), context.engine()
    task_id = uuid.UUID(str(task.request.id))
    try:
        claimed = transaction(
            engine,
            lambda conn: runs.claim(
                conn, run_id, stage, task_id, lease_s=settings.lease_s, tries=settings.max_tries
            ),
            patience_s=settings.patience_s,
        )  # fmt: skip
    except Exception as exc:
        if not is_passing(exc):
            raise
        return f"run {run_id} could not be looked up, the next tick sends it again: {type(exc).__name__}"
    if claimed is None:
        return f"nothing to do: run {run_id} is past {stage}, ended or taken"
    with logs.about(run=claimed.id, stage=stage, attempt=claimed.attempt):
        return _work(task, claimed, work)


def _work(task: "Task[Any, Any]", claimed: Run, work: Callable[[Run, Watch], Commit]) -> str:
    settings, engine = context.settings(), context.engine()
    watch = Watch(engine, claimed)
    try:
        with Renewer(engine, claimed.id, claimed.attempt, settings.lease_s, table="training_runs"):
            commit = work(claimed, watch)
            transaction(engine, commit, patience_s=settings.patience_s)
    except LeaseLost as exc:
        logger.warning("%s", exc)
        return str(exc)
    except RunRefused as exc:
        # Bound to its own name: Python forgets `exc` at the end of this block.
        refusal = exc
        transaction(engine, lambda conn: refuse(conn, claimed, refusal), patience_s=settings.patience_s)
    except Exception as exc:
        if watch.stopped():
            return f"run {claimed.id} was cancelled or taken over"
        return _failed(engine, claimed, failures.named(exc))
    except BaseException:
        # A shutdown does not wait for training: it goes on from its checkpoint, here or elsewhere.
        transaction(engine, lambda conn: runs.release(conn, claimed), patience_s=1.0)
        raise
    go_on(task.app, engine, settings)
    summary = _summary(engine, claimed.id)
    logger.info("done: %s", summary)
    return summary


def refuse(conn: Connection, claimed: Run, refusal: RunRefused, **numbers: Any) -> None:
    """End a run that cannot come to a better model."""
    runs.conclude(conn, claimed, "refused", "refused", str(refusal), {**numbers, "code": refusal.code})


def _failed(engine: Engine, claimed: Run, exc: Exception) -> str:
    code, sentence = failures.describe(exc)
    logger.warning(
        "run %d (%s) ended attempt %d with %s\n%s",
        claimed.id, claimed.stage, claimed.attempt, code, failures.trace_without_values(exc),
    )  # fmt: skip
    settings = context.settings()
    try:
        state = transaction(
            engine,
            lambda conn: runs.fail(conn, claimed, exc, max_tries=settings.max_tries),
            patience_s=settings.patience_s,
        )
    except Exception:
        logger.warning("the failure of run %d could not be recorded", claimed.id, exc_info=True)
        state = None
    return f"{code}, now {state or 'unknown'}: {sentence}"


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
