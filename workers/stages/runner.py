"""What all stages share: claim, work under a renewed lease, one commit, then hints for what comes next."""

import errno
import logging
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from celery import Task
from sqlalchemy import Connection

from db.errors import LeaseLost
from workers import claims, context, dispatch
from workers.artifacts import Stored
from workers.claims import Claim
from workers.errors import DiskFull
from workers.outcomes import finish_jobs

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

    An error gives the stage back or buries it (`claims.fail`); it is not raised again, because the row is the record
    and Celery's retry would be a second one.
    """
    settings, engine = context.settings(), context.engine()
    claim = claims.claim(
        engine,
        stage_id,
        uuid.UUID(str(task.request.id)),
        lease_s=settings.lease_s,
        max_attempts=settings.max_attempts,
    )
    if claim is None:
        return f"nothing to do: stage {stage_id} is done or taken"
    try:
        with claims.Renewer(engine, claim, settings.lease_s):
            outcome = work(claim)
            with engine.begin() as conn:
                claims.finish(conn, claim, outcome.summary, artifact=outcome.artifact)
                ready = list(outcome.commit(conn))
    except LeaseLost as exc:
        logger.warning("%s", exc)
        return str(exc)
    # MemoryError too: with late acknowledgement, an unhandled one blocks the worker's slot for good.
    except Exception as exc:
        return _failed(claim, _named(exc))
    outcome.after()
    with engine.begin() as conn:
        finish_jobs(conn)
    dispatch.send(task.app, engine, ready)
    return outcome.summary


def _failed(claim: Claim, exc: Exception) -> str:
    code, sentence = claims.describe(exc)
    logger.warning(
        "stage %d (%s) failed in attempt %d: %s\n%s",
        claim.stage_id, claim.stage, claim.attempt, code, claims.trace_without_values(exc),
    )  # fmt: skip
    engine = context.engine()
    try:
        state = claims.fail(engine, claim, exc, max_attempts=context.settings().max_attempts)
        with engine.begin() as conn:
            finish_jobs(conn)
    except Exception:
        # The database is away: the lease runs out and the sweeper counts this attempt.
        logger.warning("the failure of stage %d could not be recorded", claim.stage_id, exc_info=True)
        state = None
    return f"{code}, now {state or 'unknown'}: {sentence}"


def _named(exc: Exception) -> Exception:
    if isinstance(exc, OSError) and exc.errno in {errno.ENOSPC, errno.EDQUOT}:
        return DiskFull("a disk has no space left")
    return exc
