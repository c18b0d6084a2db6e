"""What is done with a job that exists: pause, resume, cancel, retry."""

import uuid
from collections.abc import Sequence

from sqlalchemy import Connection, Engine, text

from db import erasures
from db.errors import NotFound
from workers.app import app
from workers.errors import WORTH_RETRYING, JobEnded
from workers.jobs.links import pend_again
from workers.jobs.scoring import claim_scoring, lengths
from workers.ledger import dispatch
from workers.ledger.outcomes import finish_jobs, restart_batch
from workers.ledger.units import add_batches, add_group
from workers.ledger.wanted import UNWANTED
from workers.settings import Settings


def pause_job(engine: Engine, job_id: int) -> None:
    """Begin nothing more of a job; what runs is finished and kept. Work that another live job shares goes on.

    Raises `NotFound`, or `JobEnded` when there is nothing to pause.
    """
    with engine.begin() as conn:
        _live(conn, job_id)
        conn.execute(text("UPDATE jobs SET paused_at = coalesce(paused_at, now()) WHERE id = :job"), {"job": job_id})


def resume_job(engine: Engine, settings: Settings, job_id: int) -> None:
    """Go on with a paused job where it stopped."""
    with engine.begin() as conn:
        _live(conn, job_id)
        conn.execute(text("UPDATE jobs SET paused_at = NULL WHERE id = :job"), {"job": job_id})
        ready = dispatch.admit(conn, settings)
        # Hints that came during the pause were dropped.
        ready += conn.execute(
            text("SELECT id FROM stages WHERE job_id = :job AND state = 'ready' AND ready_at <= now()"),
            {"job": job_id},
        ).scalars().all()  # fmt: skip
    dispatch.send(app, engine, sorted(set(ready)))


def cancel_job(engine: Engine, job_id: int) -> int:
    """Give up a job's open recordings; work that another live job shares goes on. Returns how many were given up.

    Raises `NotFound`, or `JobEnded` when there is nothing to give up.
    """
    with engine.begin() as conn:
        erasures.share(conn)
        _live(conn, job_id)
        given_up = conn.execute(
            text("""
                UPDATE job_recordings SET state = 'cancelled'
                 WHERE job_id = :job AND state IN ('aligning', 'scoring') RETURNING alignment_id
            """),
            {"job": job_id},
        ).rowcount
        conn.execute(
            text("""
                UPDATE jobs SET state = 'cancelled', finished_at = now()
                 WHERE id = :job AND state IN ('queued', 'running')
            """),
            {"job": job_id},
        )
        # A unit is dropped when no recording of it is still wanted by anybody.
        conn.execute(
            text(f"""
                UPDATE stages s SET state = 'cancelled', owner = NULL, lease_until = NULL, finished_at = now()
                 WHERE s.state IN ('waiting', 'ready', 'running')
                   AND (s.stage = 'ingest' AND s.job_id = :job OR {UNWANTED})
            """),
            {"job": job_id},
        )
        # Their utterances are free again, so that a later job can cut them into batches of its own.
        conn.execute(
            text("""
                WITH dropped AS (
                    UPDATE batches b SET finished_at = now()
                     WHERE b.finished_at IS NULL
                       AND NOT EXISTS (SELECT FROM stages s WHERE s.batch_id = b.id
                                          AND s.state IN ('waiting', 'ready', 'running'))
                       AND EXISTS (SELECT FROM stages s WHERE s.batch_id = b.id AND s.state = 'cancelled')
                    RETURNING id
                ), freed AS (
                    DELETE FROM batch_members m USING dropped d WHERE m.batch_id = d.id
                    RETURNING m.alignment_id, m.profile_version_id
                )
                DELETE FROM recording_scores r USING freed f
                 WHERE r.alignment_id = f.alignment_id AND r.profile_version_id = f.profile_version_id
                   AND r.state = 'pending'
            """)
        )
    return int(given_up)


def retry_job(engine: Engine, settings: Settings, job_id: int, code: str | None = None) -> int:
    """Put what failed behind a job back to work, as far as another try can help; with `code`, only what failed so.

    That is: stages that went dead, and recordings with an error that another time may not bring (`WORTH_RETRYING`).
    Returns how many units and recordings.
    """
    with engine.begin() as conn:
        erasures.share(conn)
        _existing(conn, job_id)
        rows = conn.execute(
            text("""
                SELECT s.id, s.stage, s.group_id, s.batch_id FROM stages s
                 WHERE s.state = 'dead' AND (CAST(:code AS text) IS NULL OR s.error_code = :code)
                   AND (s.job_id = :job
                    OR s.group_id IN (SELECT m.group_id FROM group_members m
                                        JOIN job_recordings r ON r.alignment_id = m.alignment_id
                                       WHERE r.job_id = :job AND r.state = 'failed')
                    OR s.batch_id IN (SELECT m.batch_id FROM batch_members m
                                        JOIN job_recordings r ON r.alignment_id = m.alignment_id
                                       WHERE r.job_id = :job AND r.state = 'failed'))
                 FOR UPDATE OF s
            """),
            {"job": job_id, "code": code},
        ).all()
        for row in rows:
            if row.batch_id is not None:
                restart_batch(conn, row.batch_id, fresh=True)
            else:
                conn.execute(
                    text("""
                        UPDATE stages SET state = :state, tries = 0, ready_at = now(), sent_at = NULL,
                               finished_at = NULL WHERE id = :id
                    """),
                    {"id": row.id, "state": "waiting" if row.group_id is not None else "ready"},
                )
        groups = [row.group_id for row in rows if row.group_id is not None]
        batches = [row.batch_id for row in rows if row.batch_id is not None]
        _reopen(conn, groups, batches)
        codes = [known for known in WORTH_RETRYING if code in (None, known)]
        again = _align_again(conn, job_id, codes) + _score_again(conn, job_id, settings, codes)
        conn.execute(
            text("""
                UPDATE jobs SET state = 'running', finished_at = NULL, error_code = NULL, error = NULL
                 WHERE id = :job AND :found
            """),
            {"job": job_id, "found": bool(rows or again)},
        )
        finish_jobs(conn)
        ready = [row.id for row in rows if row.stage == "ingest"] + dispatch.admit(conn, settings)
    dispatch.send(app, engine, ready)
    return len(rows) + again


def _reopen(conn: Connection, groups: list[int], batches: list[int]) -> None:
    conn.execute(
        text("""
            UPDATE job_recordings r SET state = 'aligning', error_code = NULL, error = NULL
              FROM group_members m JOIN alignments a ON a.id = m.alignment_id
             WHERE m.group_id = ANY(:ids) AND r.alignment_id = m.alignment_id
               AND r.state = 'failed' AND a.state = 'failed'
        """),
        {"ids": groups},
    )
    conn.execute(
        text("""
            UPDATE alignments a SET state = 'pending', error_code = NULL, error = NULL, finished_at = NULL
              FROM group_members m WHERE m.group_id = ANY(:ids) AND a.id = m.alignment_id AND a.state = 'failed'
        """),
        {"ids": groups},
    )
    conn.execute(
        text("""
            UPDATE job_recordings r SET state = 'scoring', error_code = a.error_code, error = a.error
              FROM batch_members m JOIN alignments a ON a.id = m.alignment_id
             WHERE m.batch_id = ANY(:ids) AND r.alignment_id = m.alignment_id
               AND r.profile_version_id = m.profile_version_id AND r.state = 'failed'
        """),
        {"ids": batches},
    )
    conn.execute(
        text("""
            UPDATE recording_scores r SET state = 'pending'
              FROM batch_members m
             WHERE m.batch_id = ANY(:ids) AND r.alignment_id = m.alignment_id
               AND r.profile_version_id = m.profile_version_id AND r.state = 'failed'
        """),
        {"ids": batches},
    )


def _align_again(conn: Connection, job_id: int, codes: Sequence[str]) -> int:
    rows = conn.execute(
        text("""
            SELECT DISTINCT a.id, coalesce(c.duration_s, 0) AS seconds, j.root_id
              FROM job_recordings r JOIN alignments a ON a.id = r.alignment_id AND a.state = 'failed'
              JOIN recordings c ON c.id = a.recording_id JOIN jobs j ON j.id = r.job_id
             WHERE r.job_id = :job AND r.state = 'failed' AND a.error_code = ANY(:codes) ORDER BY a.id
        """),
        {"job": job_id, "codes": list(codes)},
    ).all()
    for row in rows:
        pend_again(conn, row.id)
        # Alone, so that its neighbours do not wait for what has failed once.
        add_group(conn, job_id, [(row.id, row.seconds)], row.root_id, None)
        _wait_again(conn, row.id, None, "aligning")
    return len(rows)


def _score_again(conn: Connection, job_id: int, settings: Settings, codes: Sequence[str]) -> int:
    rows: Sequence[tuple[int, int, uuid.UUID]] = [
        (row.alignment_id, row.profile_version_id, row.root_id)
        for row in conn.execute(
            text("""
                SELECT DISTINCT r.alignment_id, r.profile_version_id, j.root_id
                  FROM job_recordings r
                  JOIN recording_scores s ON s.alignment_id = r.alignment_id
                                         AND s.profile_version_id = r.profile_version_id AND s.state = 'failed'
                  JOIN jobs j ON j.id = r.job_id
                 WHERE r.job_id = :job AND r.state = 'failed' AND r.error_code = ANY(:codes)
                   AND NOT EXISTS (SELECT FROM batch_members m JOIN batches b ON b.id = m.batch_id
                                    WHERE m.alignment_id = r.alignment_id AND b.finished_at IS NULL
                                      AND m.profile_version_id = r.profile_version_id)
                 ORDER BY r.alignment_id
            """),
            {"job": job_id, "codes": list(codes)},
        )
    ]
    for alignment_id, version_id, root_id in rows:
        if claim_scoring(conn, alignment_id, version_id):
            add_batches(conn, job_id, version_id, [lengths(conn, alignment_id)], settings.batch_s, root_id, None)
        _wait_again(conn, alignment_id, version_id, "scoring")
    return len(rows)


def _wait_again(conn: Connection, alignment_id: int, version_id: int | None, state: str) -> None:
    """Let every job that a recording failed for wait for it again."""
    conn.execute(
        text("""
            UPDATE job_recordings SET state = :state, error_code = NULL, error = NULL
             WHERE alignment_id = :a AND state = 'failed'
               AND (CAST(:v AS bigint) IS NULL OR profile_version_id = :v)
        """),
        {"a": alignment_id, "v": version_id, "state": state},
    )


def _existing(conn: Connection, job_id: int) -> None:
    if conn.execute(text("SELECT FROM jobs WHERE id = :job FOR UPDATE"), {"job": job_id}).one_or_none() is None:
        raise NotFound(f"there is no job {job_id}")


def _live(conn: Connection, job_id: int) -> None:
    _existing(conn, job_id)
    state = conn.execute(text("SELECT state FROM jobs WHERE id = :job"), {"job": job_id}).scalar_one()
    if state == "cancelled":
        raise JobEnded(f"job {job_id} is cancelled", hint="Enqueue the archive again; what was analysed is used.")
    if state not in {"queued", "running"}:
        raise JobEnded(f"job {job_id} is {state}")
