"""Leases: renewing one's own, breaking those of workers that are gone."""

import logging
import threading
from types import TracebackType
from typing import Self

from sqlalchemy import Connection, Engine, text

from workers import context, limits
from workers.errors import StageTooLong
from workers.failures import Failure
from workers.outcomes import settle

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


class Renewer:
    """Renews a lease from a thread with its own connection, because the main thread sits in torch."""

    def __init__(self, engine: Engine, stage_id: int, attempt: int, lease_s: float, *, table: str = "stages") -> None:
        self._engine, self._lease_s, self._table = engine, lease_s, table
        self._fence = {"id": stage_id, "attempt": attempt, "lease_s": lease_s}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._renew, name=f"lease-{table}-{stage_id}", daemon=True)

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
                        text(f"""
                            UPDATE {self._table} SET lease_until = now() + make_interval(secs => :lease_s)
                             WHERE id = :id AND state = 'running' AND attempt = :attempt
                        """),
                        self._fence,
                    ).rowcount
                if not kept:
                    return  # Lost or cancelled: the fence will refuse the commit.
            except Exception:
                # The database may be back before the lease ends; the next round tries again.
                logger.warning("lease in %s of %d could not be renewed", self._table, self._fence["id"], exc_info=True)


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
