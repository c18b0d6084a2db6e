"""What all stages share: claim, work under a renewed lease, one commit, then hints for what comes next."""

import logging
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from celery import Celery, Task
from sqlalchemy import Connection

from db.engine import is_passing
from workers import context
from workers.artifacts import Stored
from workers.ledger import claims, dispatch
from workers.ledger.claims import Claim
from workers.ledger.outcomes import finish_jobs
from workers.ledger.patience import transaction
from workers.ledger.working import under_lease
from workers.telling import Tell, Teller

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


def run(task: "Task[Any, Any]", stage_id: int, work: Callable[[Claim, Tell], Outcome]) -> str:
    """Do one stage once (`working.under_lease`); an error gives it back, halves its unit or buries it."""
    settings = context.settings()
    task_id = uuid.UUID(str(task.request.id))

    def done(claim: Claim) -> Callable[[], str]:
        with Teller(task, context.engine(), claim) as tell:
            outcome = work(claim, tell)
        ready = transaction(
            context.engine(), lambda conn: _finish(conn, claim, outcome), patience_s=settings.patience_s
        )  # fmt: skip

        def following() -> str:
            outcome.after()
            _go_on(task.app, ready)
            return outcome.summary

        return following

    return under_lease(
        f"stage {stage_id}",
        lambda conn: _claim(conn, stage_id, task_id),
        done,
        lambda conn, claim, exc: claims.fail(conn, claim, exc, max_tries=settings.max_tries),
        lambda: _go_on(task.app, []),
    )


def _claim(conn: Connection, stage_id: int, task_id: uuid.UUID) -> tuple[Claim, dict[str, Any]] | None:
    """The claim, and what log lines under it are about."""
    settings = context.settings()
    claim = claims.claim(conn, stage_id, task_id, lease_s=settings.lease_s, max_tries=settings.max_tries)
    if claim is None:
        return None
    return claim, {
        "job": claim.job_id,
        "group": claim.group_id,
        "batch": claim.batch_id,
        "stage": claim.stage,
        "stage_id": claim.stage_id,
        "attempt": claim.attempt,
        "recordings": claims.recordings(conn, claim) or None,
    }


def _finish(conn: Connection, claim: Claim, outcome: Outcome) -> list[int]:
    claims.finish(conn, claim, outcome.summary, artifact=outcome.artifact)
    return list(outcome.commit(conn))


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
