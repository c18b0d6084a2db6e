"""What all stages share: claim, work under a renewed lease, one commit, then hints for what comes next."""

import logging
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from celery import Celery, Task
from sqlalchemy import Connection

from db.engine import is_passing
from db.errors import LeaseLost
from workers import claims, context, dispatch, failures, logs
from workers.artifacts import Stored
from workers.claims import Claim
from workers.errors import TurnOver
from workers.leases import Renewer
from workers.outcomes import finish_jobs
from workers.patience import transaction

logger = logging.getLogger(__name__)


def _nothing(_conn: Connection) -> Sequence[int]:
    return ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a stage's work came to, before it is committed."""

    #: One line for the database and Flower: counts and seconds, nothing from a transcript.
    summary: str
    #: Writes the results in the same transaction that closes the stage; returns stages that became ready.
    commit: Callable[[Connection], Sequence[int]] = field(default=_nothing)
    artifact: Stored | None = None
    #: Runs after the commit, for what cannot be rolled back.
    after: Callable[[], None] = field(default=lambda: None)


def run(task: "Task[Any, Any]", stage_id: int, work: Callable[[Claim], Outcome]) -> str:
    """Do one stage once; a hint for a stage that is done, cancelled or somebody else's does nothing.

    An error gives the stage back, halves its unit or buries it (`outcomes.settle`); it is not raised again, because
    the row is the record and Celery's retry would be a second one.
    """
    settings, engine = context.settings(), context.engine()
    task_id = uuid.UUID(str(task.request.id))
    try:
        claim, about = transaction(engine, lambda conn: _claim(conn, stage_id, task_id), patience_s=settings.patience_s)
    except Exception as exc:
        if not is_passing(exc):
            raise
        return f"stage {stage_id} could not be looked up, the sweeper sends it again: {type(exc).__name__}"
    if claim is None:
        return f"nothing to do: stage {stage_id} is done or taken"
    with logs.about(**about):
        return _work(task, claim, work)


def _claim(conn: Connection, stage_id: int, task_id: uuid.UUID) -> tuple[Claim | None, dict[str, Any]]:
    """The claim, and what log lines under it are about."""
    settings = context.settings()
    claim = claims.claim(conn, stage_id, task_id, lease_s=settings.lease_s, max_tries=settings.max_tries)
    if claim is None:
        return None, {}
    return claim, {
        "job": claim.job_id,
        "group": claim.group_id,
        "batch": claim.batch_id,
        "stage": claim.stage,
        "stage_id": claim.stage_id,
        "attempt": claim.attempt,
        "recordings": claims.recordings(conn, claim) or None,
    }


def _work(task: "Task[Any, Any]", claim: Claim, work: Callable[[Claim], Outcome]) -> str:
    settings, engine = context.settings(), context.engine()
    try:
        with Renewer(engine, claim.stage_id, claim.attempt, settings.lease_s):
            outcome = work(claim)
            ready = transaction(engine, lambda conn: _finish(conn, claim, outcome), patience_s=settings.patience_s)
    except LeaseLost as exc:
        logger.warning("%s", exc)
        return str(exc)
    # MemoryError too: with late acknowledgement, an unhandled one blocks the worker's slot for good.
    except Exception as exc:
        return _failed(task.app, claim, failures.named(exc))
    except BaseException:
        # A shutdown does not wait for this stage: it is another worker's from now on, and nobody's fault.
        transaction(engine, lambda conn: claims.release(conn, claim), patience_s=1.0)
        raise
    logger.info("done: %s", outcome.summary)
    outcome.after()
    _go_on(task.app, ready)
    return outcome.summary


def _finish(conn: Connection, claim: Claim, outcome: Outcome) -> list[int]:
    claims.finish(conn, claim, outcome.summary, artifact=outcome.artifact)
    return list(outcome.commit(conn))


def _failed(app: Celery, claim: Claim, exc: Exception) -> str:
    code, sentence = failures.describe(exc)
    level = logging.INFO if isinstance(exc, TurnOver) else logging.WARNING
    logger.log(
        level, "stage %d (%s) ended attempt %d with %s\n%s",
        claim.stage_id, claim.stage, claim.attempt, code, failures.trace_without_values(exc),
    )  # fmt: skip
    settings, engine = context.settings(), context.engine()
    try:
        state = transaction(
            engine,
            lambda conn: claims.fail(conn, claim, exc, max_tries=settings.max_tries),
            patience_s=settings.patience_s,
        )
    except Exception:
        # The database is away for long: the lease runs out and the sweeper counts this attempt.
        logger.warning("the failure of stage %d could not be recorded", claim.stage_id, exc_info=True)
        state = None
    _go_on(app, [])
    return f"{code}, now {state or 'unknown'}: {sentence}"


def _go_on(app: Celery, ready: Sequence[int]) -> None:
    """What follows a stage and is done by the sweeper when it cannot be done now."""
    settings, engine = context.settings(), context.engine()

    def step(conn: Connection) -> list[int]:
        finish_jobs(conn)
        return dispatch.admit(conn, settings)

    try:
        opened = transaction(engine, step, patience_s=5.0)
        dispatch.send(app, engine, [*ready, *opened])
    except Exception as exc:
        if not is_passing(exc):
            raise
        logger.warning("the sweeper will open and send what comes next (%s)", type(exc).__name__)
