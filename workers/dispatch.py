"""From rows to messages: how many batches are open, and the hints that tell workers to look."""

import logging
import uuid
from collections.abc import Sequence

from celery import Celery
from kombu.exceptions import OperationalError as BrokerError
from redis.exceptions import RedisError
from sqlalchemy import Connection, Engine, text

from workers.queues import PRIORITY_OF_STAGE, ROUTES, TASK_OF_STAGE

logger = logging.getLogger(__name__)

#: One process at a time counts and opens batches.
_LOCK = 7_367_003
#: A publisher that waits for a dead Redis would hold a finished stage's worker; the sweeper sends again anyway.
RETRY = {"max_retries": 1, "interval_start": 0.1, "interval_step": 0.1}


def admit(conn: Connection, open_batches: int) -> list[int]:
    """Open waiting batches up to the limit; returns the extract stages made ready."""
    conn.execute(text("SELECT pg_advisory_xact_lock(:k)"), {"k": _LOCK})
    rows = conn.execute(
        text("""
            WITH free AS (
                SELECT greatest(0, :limit - count(*)) AS n
                  FROM batches WHERE opened_at IS NOT NULL AND finished_at IS NULL
            ), opened AS (
                UPDATE batches SET opened_at = now()
                 WHERE id IN (SELECT b.id FROM batches b JOIN jobs j ON j.id = b.job_id
                               WHERE b.opened_at IS NULL AND b.finished_at IS NULL
                               ORDER BY j.priority DESC, b.id LIMIT (SELECT n FROM free))
                RETURNING id
            )
            UPDATE stages SET state = 'ready', ready_at = now()
             WHERE stage = 'extract' AND state = 'waiting' AND batch_id IN (SELECT id FROM opened)
            RETURNING id
        """),
        {"limit": open_batches},
    )
    return sorted(row.id for row in rows)


def send(app: Celery, engine: Engine, stage_ids: Sequence[int]) -> int:
    """Publish a hint for each ready stage and note that it was sent; returns how many.

    Root and parent of the message come from the row, so that a chain looks the same in Flower however often it was
    sent. A broker that is away loses nothing: the row stays unsent and the sweeper comes back to it.
    """
    if not stage_ids:
        return 0
    with engine.connect() as conn:
        rows = conn.execute(
            text("""
                SELECT id, stage, job_id, root_id, parent_id FROM stages
                 WHERE id = ANY(:ids) AND state = 'ready' ORDER BY id
            """),
            {"ids": list(stage_ids)},
        ).all()
    sent: list[tuple[int, uuid.UUID]] = []
    for row in rows:
        # The root of a job's messages is its ingest task.
        task_id = row.root_id if row.stage == "ingest" else uuid.uuid4()
        name = TASK_OF_STAGE[row.stage]
        try:
            app.send_task(
                name,
                kwargs={"stage_id": row.id, "job": row.job_id},
                queue=ROUTES[name],
                priority=PRIORITY_OF_STAGE[row.stage],
                task_id=str(task_id),
                root_id=str(row.root_id),
                parent_id=str(row.parent_id) if row.parent_id else None,
                retry_policy=RETRY,
            )
        except (BrokerError, RedisError, OSError):
            logger.warning("no hint could be sent for stage %d; the sweeper will", row.id)
            break
        sent.append((row.id, task_id))
    if sent:
        with engine.begin() as conn:
            conn.execute(
                text(
                    "UPDATE stages SET sent_at = now(), task_id = coalesce(task_id, :task)"
                    " WHERE id = :id AND state = 'ready'"
                ),
                [{"id": stage_id, "task": task_id} for stage_id, task_id in sent],
            )
    return len(sent)
