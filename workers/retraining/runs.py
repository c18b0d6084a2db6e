"""Rows of `training_runs` as work: claim, advance, end, give back.

A run is one row that passes four stages. Whoever holds its lease (`workers.ledger.leases`) works on the present stage.
"""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, text

from db.errors import LeaseLost
from db.states import RUN_STAGES
from workers import context
from workers.ledger import failures, leases
from workers.ledger.failures import Failure
from workers.ledger.leases import Lease
from workers.ledger.outcomes import FIRST_PAUSE_S, LONGEST_PAUSE_S

#: One process at a time decides which run goes next.
_LOCK = 7_367_004
LOST = Failure("worker_lost", "the worker ended or fell silent in the middle of this stage. Look at its log.")


@dataclass(frozen=True, slots=True)
class Run:
    """One worker's right to work on one stage of a run."""

    id: int
    stage: str
    attempt: int
    profile_id: int
    profile: str
    plan: dict[str, Any]
    champion_id: int | None
    folder: Path
    numbers: dict[str, Any]
    root_id: uuid.UUID
    task_id: uuid.UUID

    @property
    def lease(self) -> Lease:
        """The right to work on the run."""
        return Lease("training_runs", self.id, self.attempt)


def claim(conn: Connection, run_id: int, stage: str, task_id: uuid.UUID, *, lease_s: float, tries: int) -> Run | None:
    """Take a run at a stage, or None when it is past that stage, ended, not ready, or somebody's who works on it.

    A message that Redis delivers again, because training took longer than its visibility timeout, finds the lease
    taken and does nothing.
    """
    break_lost(conn, max_tries=tries, run_id=run_id)
    row = conn.execute(
        text(f"""
            UPDATE training_runs r SET {leases.TAKEN}, folder = coalesce(folder, :folder)
              FROM profiles p
             WHERE r.id = :id AND r.stage = :stage AND r.state = 'ready' AND r.ready_at <= now() AND p.id = r.profile_id
            RETURNING r.id, r.stage, r.attempt, r.profile_id, p.name AS profile, r.plan, r.champion_id, r.folder,
                      r.numbers, r.root_id
        """),
        {
            "id": run_id,
            "stage": stage,
            **leases.taking(task_id, lease_s),
            "folder": str(context.settings().models / "runs" / str(run_id)),
        },
    ).one_or_none()
    if row is None:
        return None
    return Run(
        row.id, row.stage, row.attempt, row.profile_id, row.profile, row.plan, row.champion_id, Path(row.folder),
        row.numbers or {}, row.root_id, task_id,
    )  # fmt: skip


def advance(conn: Connection, run: Run, numbers: Mapping[str, Any]) -> None:
    """End the present stage and make the next ready, inside the transaction that writes the stage's results."""
    following = RUN_STAGES[RUN_STAGES.index(run.stage) + 1]
    _leave(conn, run, "ready", "stage = :stage, tries = 0, sent_at = NULL, ready_at = now(), error_code = NULL,"
           " error = NULL, traceback = NULL", numbers, stage=following)  # fmt: skip


def conclude(conn: Connection, run: Run, state: str, decision: str, reason: str, numbers: Mapping[str, Any]) -> None:
    """End the run with a decision: state "done" or "refused"."""
    _leave(conn, run, state, "decision = :decision, reason = :reason, finished_at = now(), error_code = NULL,"
           " error = NULL, traceback = NULL", numbers, decision=decision, reason=reason)  # fmt: skip


def _leave(conn: Connection, run: Run, state: str, what: str, numbers: Mapping[str, Any], **values: object) -> None:
    run.lease.check(conn)
    conn.execute(
        text(f"""
            UPDATE training_runs
               SET state = :state, owner = NULL, lease_until = NULL, progress = NULL,
                   numbers = coalesce(numbers, '{{}}') || CAST(:numbers AS jsonb), {what}
             WHERE id = :id
        """),
        {"id": run.id, "state": state, "numbers": json.dumps(dict(numbers), allow_nan=False), **values},
    )


def note(conn: Connection, run: Run, progress: Mapping[str, Any]) -> bool:
    """Say what is being done; False when the run is no longer ours, cancelled for example."""
    return bool(
        conn.execute(
            text("""
                UPDATE training_runs SET progress = CAST(:progress AS jsonb)
                 WHERE id = :id AND state = 'running' AND attempt = :attempt
            """),
            {"id": run.id, "attempt": run.attempt, "progress": json.dumps(dict(progress), allow_nan=False)},
        ).rowcount
    )


def fail(conn: Connection, run: Run, exc: Exception, *, max_tries: int) -> str | None:
    """Give a run back after an error; returns its new state, None if it is no longer ours."""
    try:
        run.lease.check(conn)
    except LeaseLost:
        return None
    return _settle(conn, run.id, failures.failure(exc), max_tries=max_tries)


def break_lost(conn: Connection, *, max_tries: int, run_id: int | None = None) -> int:
    """Take runs from workers that are gone or silent; returns how many. They go on from their checkpoints."""
    rows = conn.execute(
        text("""
            SELECT id, owner, lease_until < now() AS expired FROM training_runs
             WHERE state = 'running' AND (CAST(:id AS bigint) IS NULL OR id = :id) FOR UPDATE SKIP LOCKED
        """),
        {"id": run_id},
    ).all()
    lost = [row for row in rows if row.expired or context.is_gone(row.owner)]
    for row in lost:
        _settle(conn, row.id, LOST, max_tries=max_tries)
    return len(lost)


def _settle(conn: Connection, run_id: int, failure: Failure, *, max_tries: int) -> str:
    """End an attempt whose row the caller has locked: ready again after a pause, or failed after the last try."""
    row = conn.execute(
        text("SELECT tries, attempt, sent_at FROM training_runs WHERE id = :id"), {"id": run_id}
    ).one()  # fmt: skip
    again = not failure.permanent and (not failure.counts or row.tries < max_tries)
    pause = 0.0 if failure is LOST else min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(row.tries, 10))
    conn.execute(
        text("""
            UPDATE training_runs
               SET state = :state, owner = NULL, lease_until = NULL, sent_at = NULL, tries = tries - :taken_back,
                   ready_at = now() + make_interval(secs => :pause), progress = NULL,
                   finished_at = CASE WHEN :over THEN now() END,
                   decision = CASE WHEN :over THEN 'refused' END, reason = CASE WHEN :over THEN :error END,
                   error_code = :code, error = :error, traceback = :trace
             WHERE id = :id
        """),
        {
            "id": run_id,
            "state": "ready" if again else "failed",
            "over": not again,
            "taken_back": int(not failure.counts),
            "pause": pause,
            "code": failure.code,
            "error": failure.sentence,
            "trace": failure.traceback,
        },
    )
    return "ready" if again else "failed"


def one_at_a_time(conn: Connection) -> None:
    """Wait until nobody else decides about runs, and keep others from it to the end of the transaction."""
    conn.execute(text("SELECT pg_advisory_xact_lock(:k)"), {"k": _LOCK})


def admit(conn: Connection) -> list[int]:
    """Let the oldest waiting run begin when no other is under way; returns it as a list.

    One at a time: two that learn from the same labels would race for the same promotion.
    """
    one_at_a_time(conn)
    rows = conn.execute(
        text("""
            UPDATE training_runs SET state = 'ready', ready_at = now()
             WHERE id = (SELECT id FROM training_runs WHERE state = 'waiting' ORDER BY due_at, id LIMIT 1)
               AND NOT EXISTS (SELECT FROM training_runs WHERE state IN ('ready', 'running'))
            RETURNING id
        """)
    )
    return [row.id for row in rows]


def cancel(conn: Connection, run_id: int) -> bool:
    """End a run that is open; False when it had ended. Whoever works on it notices at the next step or commit."""
    return bool(
        conn.execute(
            text("""
                UPDATE training_runs
                   SET state = 'cancelled', owner = NULL, lease_until = NULL, finished_at = now(),
                       reason = 'cancelled by hand'
                 WHERE id = :id AND state IN ('waiting', 'ready', 'running')
            """),
            {"id": run_id},
        ).rowcount
    )
