"""The sweeper: finds work that fell to the ground and puts it back. Any number of copies may run."""

import logging
from collections.abc import Sequence
from typing import Any

from celery import Task
from sqlalchemy import Connection, Engine, text

from db.engine import is_passing
from workers import artifacts, broker, context
from workers.app import app
from workers.archives import roots
from workers.archives.packed import Store
from workers.ledger import dispatch
from workers.ledger.leases import break_lost
from workers.ledger.outcomes import finish_jobs
from workers.ledger.wanted import NOT_PAUSED
from workers.queues import QUEUES, ROUTES, TASK_OF_STAGE

logger = logging.getLogger(__name__)

#: Hints sent again in one sweep.
MAX_RESEND = 1000


@app.task(bind=True, name="maintenance.sweep")
def sweep(self: "Task[Any, Any]") -> str:
    """Break leases of the gone, open units, send lost hints again, close finished jobs, remove what nobody needs."""
    settings, engine = context.settings(), context.engine()
    try:
        with engine.begin() as conn:
            broken = break_lost(conn, max_tries=settings.max_tries)
            finished = finish_jobs(conn)
        with engine.begin() as conn:
            ready = dispatch.admit(conn, settings)
        with engine.connect() as conn:
            ready += _unsent(conn, settings.resend_s, 2 * settings.sweep_s, broker.waiting(self.app))
        sent = dispatch.send(self.app, engine, sorted(set(ready)))
        removed = _collect(engine, settings.artifacts)
        with engine.connect() as conn:
            Store.of(settings).remove_unused(roots.wanted(conn))
    except Exception as exc:
        if not is_passing(exc):
            raise
        return f"the database is away ({type(exc).__name__}); the next sweep does this one's work"
    return (
        f"{broken} leases broken, {sent} hints sent, {len(finished)} jobs finished, {removed} batches' objects removed"
    )


def _collect(engine: Engine, root: str) -> int:
    """Delete the objects of finished batches that were left behind; returns how many batches had some.

    Of a batch that this database does not know, the objects are somebody else's: they stay.
    """
    stored = artifacts.batches(root)
    if not stored:
        return 0
    with engine.connect() as conn:
        over = conn.execute(
            text("SELECT id FROM batches WHERE id = ANY(:ids) AND finished_at < now() - interval '1 minute'"),
            {"ids": stored},
        ).scalars()
        finished = list(over)
    for batch_id in finished:
        artifacts.remove_batch(root, batch_id)
    return len(finished)


def _unsent(conn: Connection, resend_s: float, soon_s: float, queued: dict[str, int] | None) -> list[int]:
    """Ready stages whose hint was never sent, or is surely lost.

    A hint is taken for lost when it is old and Redis holds fewer messages than it should: a long queue alone is no
    reason to send everything twice. When a queue is empty, "old" is soon: a worker that had taken the message would
    have claimed the stage.
    """
    if queued is None:
        return []
    rows: Sequence[Any] = conn.execute(
        text(f"""
            SELECT id, stage, sent_at IS NULL AS unsent, sent_at < now() - make_interval(secs => :old) AS old,
                   sent_at < now() - make_interval(secs => :soon) AS soon
              FROM stages s WHERE state = 'ready' AND ready_at <= now() AND {NOT_PAUSED}
             ORDER BY sent_at NULLS FIRST, id
        """),
        {"old": resend_s, "soon": min(resend_s, soon_s)},
    ).all()
    expected = dict.fromkeys(QUEUES, 0)
    for row in rows:
        if not row.unsent:
            expected[_queue(row.stage)] += 1

    def lost(row: Any) -> bool:
        queue = _queue(row.stage)
        return bool((row.old and queued[queue] < expected[queue]) or (row.soon and not queued[queue]))

    return [row.id for row in rows if row.unsent or lost(row)][:MAX_RESEND]


def _queue(stage: str) -> str:
    return ROUTES[TASK_OF_STAGE[stage]]
