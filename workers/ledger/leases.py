"""Leases: taking and renewing one's own, breaking those of workers that are gone.

A worker may be killed, paused or cut off at any moment, and messages may arrive twice. So a row of `stages` or
`training_runs` belongs to whoever holds its lease, the attempt number is the fence, and the commit of results re-checks
it in the same transaction: of two workers on the same row exactly one can commit.
"""

import logging
import threading
import uuid
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, Self

from sqlalchemy import Connection, Engine, text

from db.errors import LeaseLost
from workers import context
from workers.errors import StageTooLong
from workers.ledger import limits
from workers.ledger.failures import Failure
from workers.ledger.outcomes import settle

logger = logging.getLogger(__name__)

LOST = Failure(
    "worker_lost",
    "the worker ended or fell silent in the middle of this stage. Look at its log (a crash, or too little memory), then"
    " run `tenor retry JOB`.",
    pause_s=0.0,
)
STUCK = Failure(
    StageTooLong.code,
    f"the stage was stopped because it took longer than its audio permits. {StageTooLong.hint}",
    pause_s=0.0,
)


#: What taking a row changes. The attempt is counted here, before the data is touched, so that work which kills its
#: process is counted too.
TAKEN = """
    state = 'running', attempt = attempt + 1, tries = tries + 1, owner = :owner, task_id = :task_id,
    lease_until = now() + make_interval(secs => :lease_s), started_at = now()
"""


def taking(task_id: uuid.UUID, lease_s: float) -> dict[str, Any]:
    """The parameters of `TAKEN`, for this process."""
    return {"owner": context.owner(), "task_id": task_id, "lease_s": lease_s}


@dataclass(frozen=True, slots=True)
class Lease:
    """The right of one worker to work on a row."""

    table: Literal["stages", "training_runs"]
    id: int
    attempt: int

    def __str__(self) -> str:
        return f"{'stage' if self.table == 'stages' else 'run'} {self.id}"

    def check(self, conn: Connection) -> None:
        """Lock the row for the rest of the transaction; raises `LeaseLost` when it is no longer ours."""
        kept = conn.execute(
            text(f"SELECT FROM {self.table} WHERE id = :id AND state = 'running' AND attempt = :attempt FOR UPDATE"),
            {"id": self.id, "attempt": self.attempt},
        ).one_or_none()
        if kept is None:
            raise LeaseLost(f"{self} was cancelled or taken over after attempt {self.attempt}")

    def renew(self, conn: Connection, lease_s: float) -> bool:
        """Keep it for so long from now; False when it is no longer ours.

        The row is locked first: whoever waited for a long transaction of the work itself must not reckon from the time
        when the wait began, which may be a lease ago.
        """
        try:
            self.check(conn)
        except LeaseLost:
            return False
        return self._change(conn, "lease_until = clock_timestamp() + make_interval(secs => :lease_s)", lease_s=lease_s)

    def release(self, conn: Connection) -> None:
        """Give the row back at once, uncounted: its worker shuts down in the middle of it."""
        self._change(conn, "state = 'ready', owner = NULL, lease_until = NULL, sent_at = NULL, tries = tries - 1,"
                     " ready_at = now()")  # fmt: skip

    def _change(self, conn: Connection, what: str, **values: object) -> bool:
        changed = conn.execute(
            text(f"UPDATE {self.table} SET {what} WHERE id = :id AND state = 'running' AND attempt = :attempt"),
            {"id": self.id, "attempt": self.attempt, **values},
        )
        return bool(changed.rowcount)


class Renewer:
    """Renews a lease from a thread with its own connection, because the main thread sits in torch."""

    def __init__(self, engine: Engine, lease: Lease, lease_s: float) -> None:
        self._engine, self._lease, self._lease_s = engine, lease, lease_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._renew, name=f"lease-{lease.table}-{lease.id}", daemon=True)

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
                    kept = self._lease.renew(conn, self._lease_s)
                if not kept:
                    return  # Lost or cancelled: the fence will refuse the commit.
            except Exception:
                # The database may be back before the lease ends; the next round tries again.
                logger.warning("the lease of %s could not be renewed", self._lease, exc_info=True)


def break_lost(conn: Connection, *, max_tries: int, stage_id: int | None = None) -> int:
    """Take stages from workers that are gone or silent; returns how many.

    They are ready again, or, after their last try, halved or dead (`settle`). Rows that somebody else looks at are
    left to them, so any number of copies may run.
    """
    rows = conn.execute(
        text("""
            SELECT s.id, s.owner, s.lease_until < now() AS expired,
                   coalesce(extract(epoch FROM now() - s.started_at), 0) AS ran_s,
                   coalesce(g.seconds, b.seconds) AS audio_s
              FROM stages s LEFT JOIN groups g ON g.id = s.group_id LEFT JOIN batches b ON b.id = s.batch_id
             WHERE s.state = 'running' AND (CAST(:id AS bigint) IS NULL OR s.id = :id)
               FOR UPDATE OF s SKIP LOCKED
        """),
        {"id": stage_id},
    ).all()
    lost = [row for row in rows if row.expired or context.is_gone(row.owner)]
    for row in lost:
        stuck = row.ran_s >= limits.stage_s(row.audio_s, context.settings().stage_limit_s)
        settle(conn, row.id, STUCK if stuck else LOST, max_tries=max_tries)
    return len(lost)
