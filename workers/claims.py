"""Fenced leases on rows of `stages`: claim, renew, finish, fail.

A worker may be killed, paused or cut off at any moment, and messages may arrive twice. So a stage belongs to whoever
holds its lease, the attempt number is the fence, and the commit of a stage's results re-checks it in the same
transaction: of two workers on the same stage exactly one can commit.
"""

import json
import logging
import threading
import traceback
import uuid
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from sqlalchemy import Connection, Engine, text

from db.errors import LeaseLost
from ml.errors import TenorError
from workers import context
from workers.errors import ArtifactBroken
from workers.outcomes import bury, restart_batch

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Claim:
    """One worker's right to work on one stage of a job, a group or a batch."""

    stage_id: int
    stage: str
    job_id: int
    group_id: int | None
    batch_id: int | None
    attempt: int
    owner: str
    root_id: uuid.UUID
    task_id: uuid.UUID


_CLAIM = text("""
    UPDATE stages
       SET state = 'running', attempt = attempt + 1, owner = :owner, task_id = :task_id,
           lease_until = now() + make_interval(secs => :lease_s), started_at = now(), finished_at = NULL
     WHERE id = :stage_id
       AND (state = 'ready'
            OR (state = 'running' AND attempt < :max_attempts AND (lease_until < now() OR owner = :gone)))
    RETURNING id, stage, job_id, group_id, batch_id, attempt, root_id
""")

_EVENT = text("""
    INSERT INTO events (stage_id, job_id, kind, detail)
    VALUES (:stage_id, :job_id, :kind, CAST(:detail AS jsonb))
""")


def record(conn: Connection, claim: Claim, kind: str, **detail: str | int | None) -> None:
    """Write one transition into the log."""
    detail = {"stage": claim.stage, "attempt": claim.attempt, "owner": claim.owner, **detail}
    conn.execute(
        _EVENT,
        {"stage_id": claim.stage_id, "job_id": claim.job_id, "kind": kind, "detail": json.dumps(detail)},
    )


def claim(engine: Engine, stage_id: int, task_id: uuid.UUID, *, lease_s: float, max_attempts: int) -> Claim | None:
    """Take a stage, or None when it is done, cancelled, not ready, or somebody's who still works on it.

    The attempt is counted here, before the data is touched, so that work which kills its process is counted too.
    """
    owner = context.owner()
    with engine.begin() as conn:
        holder = conn.execute(
            text("SELECT owner FROM stages WHERE id = :id AND state = 'running'"), {"id": stage_id}
        ).scalar()
        gone = holder if holder is not None and context.is_gone(holder) else None
        row = conn.execute(
            _CLAIM,
            {
                "stage_id": stage_id,
                "owner": owner,
                "task_id": task_id,
                "lease_s": lease_s,
                "gone": gone,
                "max_attempts": max_attempts,
            },
        ).one_or_none()
        if row is None:
            return None
        taken = Claim(
            row.id,
            row.stage,
            row.job_id,
            row.group_id,
            row.batch_id,
            row.attempt,
            owner,
            row.root_id,
            task_id,
        )
        record(conn, taken, "stage.running")
        return taken


class Renewer:
    """Renews a lease from a thread with its own connection, because the main thread sits in torch."""

    def __init__(self, engine: Engine, claim: Claim, lease_s: float) -> None:
        self._engine, self._claim, self._lease_s = engine, claim, lease_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._renew, name=f"lease-{claim.stage_id}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(timeout=10)

    def _renew(self) -> None:
        while not self._stop.wait(self._lease_s / 3):
            try:
                with self._engine.begin() as conn:
                    kept = conn.execute(
                        text("""
                            UPDATE stages SET lease_until = now() + make_interval(secs => :lease_s)
                             WHERE id = :id AND state = 'running' AND attempt = :attempt
                        """),
                        {
                            "id": self._claim.stage_id,
                            "attempt": self._claim.attempt,
                            "lease_s": self._lease_s,
                        },
                    ).rowcount
                if not kept:
                    return  # Lost or cancelled: the fence will refuse the commit.
            except Exception:
                # The database may be back before the lease ends; the next round tries again.
                logger.warning("lease of stage %d could not be renewed", self._claim.stage_id, exc_info=True)


def finish(
    conn: Connection,
    claim: Claim,
    summary: str,
    *,
    artifact: tuple[str, str, int] | None = None,
) -> None:
    """Mark the stage done inside the transaction that writes its results; raises `LeaseLost` when it is no longer ours.

    `artifact` is (url, sha256, bytes) of the object written for the next stage. Call it first in the transaction: it
    locks the row, so that a second finisher waits here and then fails.
    """
    url, sha256, size = artifact or (None, None, None)
    kept = conn.execute(
        text("""
            UPDATE stages
               SET state = 'done', owner = NULL, lease_until = NULL, finished_at = now(), summary = :summary,
                   artifact_url = :url, artifact_sha256 = :sha256, artifact_bytes = :size,
                   error_code = NULL, error = NULL, traceback = NULL
             WHERE id = :id AND state = 'running' AND attempt = :attempt
        """),
        {
            "id": claim.stage_id,
            "attempt": claim.attempt,
            "summary": summary,
            "url": url,
            "sha256": sha256,
            "size": size,
        },
    ).rowcount
    if not kept:
        raise LeaseLost(f"stage {claim.stage_id} was cancelled or taken over after attempt {claim.attempt}")
    record(conn, claim, "stage.done")


def describe(exc: BaseException) -> tuple[str, str]:
    """(code, sentence) of an error as the database keeps it; of an unnamed one, which may quote text, the class."""
    code = getattr(exc, "code", None)
    if isinstance(code, str) and hasattr(exc, "hint"):
        return code, f"{exc} {exc.hint}".strip()
    return type(exc).__name__, f"The stage failed with {type(exc).__name__}; the traceback is in the table stages."


def trace_without_values(exc: BaseException) -> str:
    """The traceback with each exception's class but no message: messages of libraries may quote a transcript."""
    lines: list[str] = []
    seen: BaseException | None = exc
    while seen is not None:
        lines.append(f"{type(seen).__module__}.{type(seen).__qualname__}\n")
        lines.extend(traceback.format_tb(seen.__traceback__))
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
    return "".join(lines)


def fail(engine: Engine, claim: Claim, exc: BaseException, *, max_attempts: int) -> str | None:
    """Give a stage back after an error: ready again after a pause, or dead. Returns its new state, None if not ours."""
    code, sentence = describe(exc)
    permanent = isinstance(exc, TenorError) and getattr(exc, "permanent", False)
    dead = permanent or claim.attempt >= max_attempts
    with engine.begin() as conn:
        state = conn.execute(
            text("""
                UPDATE stages
                   SET state = :state, owner = NULL, lease_until = NULL, sent_at = NULL,
                       ready_at = now() + make_interval(secs => :pause_s),
                       finished_at = CASE WHEN :state = 'dead' THEN now() END,
                       error_code = :code, error = :error, traceback = :traceback
                 WHERE id = :id AND state = 'running' AND attempt = :attempt
                RETURNING state
            """),
            {
                "id": claim.stage_id,
                "attempt": claim.attempt,
                "state": "dead" if dead else "ready",
                "pause_s": 0 if dead else 5 * 2 ** (claim.attempt - 1),
                "code": code,
                "error": sentence,
                "traceback": trace_without_values(exc),
            },
        ).scalar()
        if state is None:
            return None
        record(conn, claim, f"stage.{state}", error=code)
        if dead:
            bury(conn, [claim.stage_id])
        elif isinstance(exc, ArtifactBroken) and claim.batch_id is not None:
            restart_batch(conn, claim.batch_id)
        return str(state)
