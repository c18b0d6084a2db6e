"""What the end of a stage means for recordings and jobs."""

from collections.abc import Sequence

from sqlalchemy import Connection, text

from workers.ledger import halving
from workers.ledger.failures import Failure

#: Pauses before a failed stage is tried again double from this, up to that.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 5.0, 300.0


def settle(conn: Connection, stage_id: int, failure: Failure, *, max_tries: int) -> str:
    """End an attempt of a running stage, whose row the caller has locked; returns what became of it.

    "ready" (again, after a pause), "halved" (two new units take its place) or "dead". A unit is halved after its last
    try; its halves, of which one holds the culprit, are halved at the first; only a unit of one goes dead.
    """
    unit = halving.unit_of(conn, stage_id)
    divisible = failure.blames_data and unit.size > 1
    allowed = 1 if failure.permanent or (divisible and unit.halvings) else max_tries
    if not failure.counts or unit.tries < allowed:
        conn.execute(
            text("""
                UPDATE stages
                   SET state = 'ready', owner = NULL, lease_until = NULL, sent_at = NULL, tries = tries - :taken_back,
                       ready_at = now() + make_interval(secs => :pause_s),
                       error_code = :code, error = :error, traceback = :traceback
                 WHERE id = :id
            """),
            {
                "id": stage_id,
                "taken_back": int(not failure.counts),
                "pause_s": _pause_s(unit.attempt) if failure.pause_s is None else failure.pause_s,
                "code": failure.code,
                "error": failure.sentence,
                "traceback": failure.traceback,
            },
        )
        return "ready"
    if divisible:
        halving.halve(conn, unit, failure)
        return "halved"
    conn.execute(
        text("""
            UPDATE stages
               SET state = 'dead', owner = NULL, lease_until = NULL, sent_at = NULL, finished_at = now(),
                   error_code = :code, error = :error, traceback = :traceback
             WHERE id = :id
        """),
        {"id": stage_id, "code": failure.code, "error": failure.sentence, "traceback": failure.traceback},
    )
    bury(conn, [stage_id])
    return "dead"


def _pause_s(attempt: int) -> float:
    return float(min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(attempt - 1, 20)))


def bury(conn: Connection, stage_ids: Sequence[int]) -> None:
    """Carry stages that went dead over to what they stood for: their recordings fail, the rest of the job goes on."""
    ids = {"ids": list(stage_ids)}
    conn.execute(
        text("""
            UPDATE jobs j SET state = 'failed', finished_at = now(), error_code = s.error_code, error = s.error
              FROM stages s
             WHERE s.id = ANY(:ids) AND s.stage = 'ingest' AND j.id = s.job_id
        """),
        ids,
    )
    conn.execute(
        text("""
            UPDATE alignments a SET state = 'failed', error_code = s.error_code, error = s.error, finished_at = now()
              FROM stages s JOIN group_members m ON m.group_id = s.group_id
             WHERE s.id = ANY(:ids) AND a.id = m.alignment_id AND a.state = 'pending'
        """),
        ids,
    )
    conn.execute(
        text("""
            UPDATE job_recordings r SET state = 'failed', error_code = s.error_code, error = s.error
              FROM stages s JOIN group_members m ON m.group_id = s.group_id
             WHERE s.id = ANY(:ids) AND r.alignment_id = m.alignment_id AND r.state = 'aligning'
        """),
        ids,
    )
    conn.execute(
        text("""
            UPDATE stages SET state = 'cancelled', owner = NULL, lease_until = NULL
             WHERE state IN ('waiting', 'ready', 'running')
               AND batch_id IN (SELECT batch_id FROM stages WHERE id = ANY(:ids))
        """),
        ids,
    )
    conn.execute(
        text("""
            UPDATE batches SET finished_at = now() WHERE finished_at IS NULL
               AND id IN (SELECT batch_id FROM stages WHERE id = ANY(:ids))
        """),
        ids,
    )
    conn.execute(
        text("""
            UPDATE recording_scores r SET state = 'failed'
              FROM stages s JOIN batch_members m ON m.batch_id = s.batch_id
             WHERE s.id = ANY(:ids) AND r.state = 'pending'
               AND r.alignment_id = m.alignment_id AND r.profile_version_id = m.profile_version_id
        """),
        ids,
    )
    conn.execute(
        text("""
            UPDATE job_recordings r SET state = 'failed', error_code = s.error_code, error = s.error
              FROM stages s JOIN batch_members m ON m.batch_id = s.batch_id
             WHERE s.id = ANY(:ids) AND r.state = 'scoring'
               AND r.alignment_id = m.alignment_id AND r.profile_version_id = m.profile_version_id
        """),
        ids,
    )


def restart_batch(conn: Connection, batch_id: int, *, fresh: bool = False, pause: bool = False) -> None:
    """Send a batch back to extract, at once or when the stage that gave up would have been tried again (`pause`).

    `fresh` forgets earlier attempts and lets the dispatcher admit it anew.
    """
    conn.execute(
        text("""
            UPDATE stages
               SET state = CASE WHEN stage = 'extract' AND NOT :fresh THEN 'ready' ELSE 'waiting' END,
                   tries = CASE WHEN :fresh THEN 0 ELSE tries END,
                   ready_at = CASE WHEN stage <> 'extract' THEN NULL
                                   WHEN :pause THEN (SELECT max(s.ready_at) FROM stages s WHERE s.batch_id = :batch)
                                   ELSE now() END,
                   owner = NULL, lease_until = NULL, sent_at = NULL, finished_at = NULL
             WHERE batch_id = :batch
        """),
        {"batch": batch_id, "fresh": fresh, "pause": pause},
    )
    if fresh:
        conn.execute(text("UPDATE batches SET opened_at = NULL, finished_at = NULL WHERE id = :b"), {"b": batch_id})


def finish_jobs(conn: Connection) -> list[int]:
    """Close the jobs that were walked to the end and have nothing open; returns their ids."""
    rows = conn.execute(
        text("""
            UPDATE jobs j SET state = 'done', finished_at = now()
             WHERE j.state = 'running' AND j.ingested_at IS NOT NULL
               AND NOT EXISTS (SELECT FROM job_recordings r
                                WHERE r.job_id = j.id AND r.state IN ('aligning', 'scoring'))
            RETURNING j.id
        """)
    )
    return [row.id for row in rows]
