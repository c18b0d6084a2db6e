"""The sweeper: finds work that fell to the ground and puts it back. Any number of copies may run."""

import logging
from collections.abc import Sequence
from typing import Any

from celery import Task
from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import Connection, text

from workers import context, dispatch
from workers.app import app
from workers.outcomes import bury, finish_jobs
from workers.queues import PRIORITY_OF_STAGE, QUEUES, ROUTES, TASK_OF_STAGE

logger = logging.getLogger(__name__)

#: Hints sent again in one sweep.
MAX_RESEND = 1000
#: kombu keeps one Redis list per priority, named queue + separator + priority (none for 0).
_SEPARATOR = "\x06\x16"


@app.task(bind=True, name="maintenance.sweep")
def sweep(self: "Task[Any, Any]") -> str:
    """Break leases of the gone, open batches, send lost hints again, close finished jobs."""
    settings, engine = context.settings(), context.engine()
    with engine.begin() as conn:
        broken = _break_leases(conn, settings.max_attempts)
        ready = dispatch.admit(conn, settings.open_batches)
        finished = finish_jobs(conn)
    with engine.connect() as conn:
        ready += _unsent(conn, settings.resend_s, 2 * settings.sweep_s, _queued())
    sent = dispatch.send(self.app, engine, sorted(set(ready)))
    return f"{broken} leases broken, {sent} hints sent, {len(finished)} jobs finished"


def _break_leases(conn: Connection, max_attempts: int) -> int:
    rows = conn.execute(
        text("""
            SELECT id, owner, attempt, lease_until < now() AS expired FROM stages
             WHERE state = 'running' FOR UPDATE SKIP LOCKED
        """)
    ).all()
    lost = [row for row in rows if row.expired or context.is_gone(row.owner)]
    dead = [row.id for row in lost if row.attempt >= max_attempts]
    again = [row.id for row in lost if row.attempt < max_attempts]
    conn.execute(
        text("""
            UPDATE stages SET state = 'ready', owner = NULL, lease_until = NULL, sent_at = NULL, ready_at = now(),
                   error_code = 'worker_lost', error = 'the worker ended in the middle of this stage'
             WHERE id = ANY(:ids)
        """),
        {"ids": again},
    )
    conn.execute(
        text("""
            UPDATE stages SET state = 'dead', owner = NULL, lease_until = NULL, finished_at = now(),
                   error_code = 'worker_lost',
                   error = 'the worker ended in the middle of this stage, ' || attempt || ' times.'
                           || ' Look at its log, then run `tenor retry`.'
             WHERE id = ANY(:ids)
        """),
        {"ids": dead},
    )
    bury(conn, dead)
    for row in lost:
        conn.execute(
            text("""
                INSERT INTO events (stage_id, job_id, kind, detail)
                SELECT id, job_id, 'stage.lost', jsonb_build_object('attempt', attempt) FROM stages WHERE id = :id
            """),
            {"id": row.id},
        )
    return len(lost)


def _queued() -> dict[str, int] | None:
    """Messages waiting per queue, None when Redis does not say."""
    try:
        client = Redis.from_url(str(app.conf.broker_url), socket_timeout=5, socket_connect_timeout=5)
        keys = {q: [q, *(f"{q}{_SEPARATOR}{p}" for p in set(PRIORITY_OF_STAGE.values()) if p)] for q in QUEUES}
        return {queue: sum(int(client.llen(key)) for key in names) for queue, names in keys.items()}  # type: ignore[arg-type]
    except (RedisError, OSError):
        return None


def _unsent(conn: Connection, resend_s: float, soon_s: float, queued: dict[str, int] | None) -> list[int]:
    """Ready stages whose hint was never sent, or is surely lost.

    A hint is taken for lost when it is old and Redis holds fewer messages than it should: a long queue alone is no
    reason to send everything twice. When a queue is empty, "old" is soon: a worker that had taken the message would
    have claimed the stage.
    """
    if queued is None:
        return []
    rows: Sequence[Any] = conn.execute(
        text("""
            SELECT id, stage, sent_at IS NULL AS unsent, sent_at < now() - make_interval(secs => :old) AS old,
                   sent_at < now() - make_interval(secs => :soon) AS soon
              FROM stages WHERE state = 'ready' AND ready_at <= now() ORDER BY sent_at NULLS FIRST, id
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
