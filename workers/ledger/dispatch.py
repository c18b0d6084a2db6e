"""From rows to messages: which units are under way, and the hints that tell workers to look."""

import logging
import uuid
from collections.abc import Sequence
from typing import Any

from celery import Celery
from kombu.exceptions import OperationalError as BrokerError
from redis.exceptions import RedisError
from sqlalchemy import Connection, Engine, Row, text

from workers.ledger import limits
from workers.ledger.wanted import NOT_PAUSED
from workers.queues import PRIORITY_OF_STAGE, ROUTES, TASK_OF_STAGE
from workers.settings import Settings

logger = logging.getLogger(__name__)

#: One process at a time counts and opens units.
_LOCK = 7_367_003
#: A publisher that waits for a dead Redis would hold a finished stage's worker; the sweeper sends again anyway.
RETRY = {"max_retries": 1, "interval_start": 0.1, "interval_step": 0.1}

#: Units of a kind that are under way, by job. What a paused job had begun does not keep others waiting.
_OPEN = {
    "align": """
        SELECT s.job_id FROM stages s JOIN jobs j ON j.id = s.job_id AND j.paused_at IS NULL
         WHERE s.stage = 'align' AND s.state IN ('ready', 'running')
    """,
    "extract": """
        SELECT b.job_id FROM batches b JOIN jobs j ON j.id = b.job_id AND j.paused_at IS NULL
         WHERE b.opened_at IS NOT NULL AND b.finished_at IS NULL
    """,
}


def admit(conn: Connection, settings: Settings) -> list[int]:
    """Open waiting groups and batches up to their limits; returns the stages made ready.

    Jobs of the highest priority go first; among equals, the one that has the fewest units under way. So few messages
    wait in Redis that a job which is enqueued now has its turn soon, however long the one before it is.
    """
    conn.execute(text("SELECT pg_advisory_xact_lock(:k)"), {"k": _LOCK})
    return _admit(conn, "extract", settings.open_batches) + _admit(conn, "align", settings.open_groups)


def _admit(conn: Connection, stage: str, limit: int) -> list[int]:
    rows = conn.execute(
        text(f"""
            WITH under_way AS MATERIALIZED (
                SELECT o.job_id, count(*) AS n FROM ({_OPEN[stage]}) o GROUP BY o.job_id
            ), free AS MATERIALIZED (
                SELECT greatest(0, :limit - coalesce(sum(n), 0))::bigint AS n FROM under_way
            ), waiting AS (
                SELECT w.id, w.batch_id, j.priority,
                       coalesce(u.n, 0) + row_number() OVER (PARTITION BY j.id ORDER BY w.id) AS turn
                  FROM jobs j
                 CROSS JOIN LATERAL (
                        SELECT s.id, s.batch_id FROM stages s
                         WHERE s.stage = :stage AND s.job_id = j.id AND s.state = 'waiting' AND {NOT_PAUSED}
                         ORDER BY s.id LIMIT (SELECT n FROM free)) w
                  LEFT JOIN under_way u ON u.job_id = j.id
            ), chosen AS MATERIALIZED (
                SELECT id, batch_id FROM waiting ORDER BY priority DESC, turn, id LIMIT (SELECT n FROM free)
            ), opened AS (
                UPDATE batches SET opened_at = now() WHERE id IN (SELECT batch_id FROM chosen)
            )
            UPDATE stages SET state = 'ready', ready_at = now() WHERE id IN (SELECT id FROM chosen) RETURNING id
        """),
        {"limit": limit, "stage": stage},
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
                SELECT s.id, s.stage, s.job_id, s.root_id, s.parent_id, coalesce(g.seconds, b.seconds) AS audio_s,
                       s.group_id, s.batch_id,
                       CASE WHEN g.id IS NOT NULL THEN
                            (SELECT count(*) FROM group_members m WHERE m.group_id = g.id)
                            WHEN b.id IS NOT NULL THEN
                            (SELECT count(DISTINCT m.alignment_id) FROM batch_members m WHERE m.batch_id = b.id)
                       END AS recordings
                  FROM stages s LEFT JOIN groups g ON g.id = s.group_id LEFT JOIN batches b ON b.id = s.batch_id
                 WHERE s.id = ANY(:ids) AND s.state = 'ready' ORDER BY s.id
            """),
            {"ids": list(stage_ids)},
        ).all()
    sent: list[tuple[int, uuid.UUID]] = []
    for row in rows:
        # Who begins a chain is its root: a job's walk, or the first stage of a batch that is scored again.
        task_id = row.root_id if row.parent_id is None else uuid.uuid4()
        name = TASK_OF_STAGE[row.stage]
        limit = limits.stage_s(row.audio_s, float(app.conf.task_soft_time_limit))
        try:
            app.send_task(
                name,
                kwargs={"stage_id": row.id, "job": row.job_id},
                kwargsrepr=_shown(row),
                queue=ROUTES[name],
                priority=PRIORITY_OF_STAGE[row.stage],
                task_id=str(task_id),
                root_id=str(row.root_id),
                parent_id=str(row.parent_id) if row.parent_id else None,
                soft_time_limit=limit,
                time_limit=limits.hard_s(limit),
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


def _shown(row: Row[Any]) -> str:
    """The arguments as Flower shows and searches them (`kwargs:job=7`), with what the unit holds; numbers only.

    A task itself takes the stage alone, and reads the rest where it is true.
    """
    unit = {
        "job": row.job_id,
        "group": row.group_id,
        "batch": row.batch_id,
        "recordings": row.recordings,
        "minutes": None if row.audio_s is None else round(row.audio_s / 60, 1),
    }
    return repr({name: value for name, value in unit.items() if value is not None})
