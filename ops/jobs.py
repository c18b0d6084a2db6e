"""What the command line asks about jobs; every function takes an engine and returns plain rows."""

from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text

from db.engine import reading
from db.errors import NotFound
from ml.profiles import Profile
from workers import enqueue as work
from workers.enqueue import JobOptions

Row = dict[str, Any]


def enqueue(engine: Engine, archive: Path, profile: Profile, options: JobOptions | None = None) -> int:
    """Enqueue a folder or a file; returns the job's id."""
    return work.create_job(engine, archive, profile, options or JobOptions())


def status(engine: Engine, job_id: int) -> Row:
    """One row of `job_progress`; raises `NotFound`."""
    with reading(engine) as conn:
        row = (
            conn.execute(text("SELECT * FROM job_progress WHERE job_id = :job"), {"job": job_id})
            .mappings()
            .one_or_none()
        )
    if row is None:
        raise NotFound(f"there is no job {job_id}")
    return dict(row)


def recent(engine: Engine, limit: int = 20) -> list[Row]:
    """The newest jobs, newest first."""
    with reading(engine) as conn:
        rows = conn.execute(text("SELECT * FROM job_progress ORDER BY job_id DESC LIMIT :n"), {"n": limit}).mappings()
        return [dict(row) for row in rows]


def backlog(engine: Engine) -> list[Row]:
    """Open work per stage."""
    with reading(engine) as conn:
        return [dict(row) for row in conn.execute(text("SELECT * FROM stage_backlog")).mappings()]


def errors(engine: Engine, job_id: int, limit: int | None = None) -> list[Row]:
    """Recordings of a job with an error (`outcome` failed) or a warning (analysed, but without its transcript)."""
    status(engine, job_id)
    with reading(engine) as conn:
        rows = conn.execute(
            text("""
                SELECT f.path AS recording, CASE r.state WHEN 'failed' THEN 'failed' ELSE 'warning' END AS outcome,
                       r.error_code, r.error
                  FROM job_recordings r JOIN archive_files f ON f.id = r.file_id
                 WHERE r.job_id = :job AND r.error_code IS NOT NULL
                 ORDER BY r.state <> 'failed', f.path LIMIT :n
            """),
            {"job": job_id, "n": limit},
        ).mappings()
        return [dict(row) for row in rows]


def traceback(engine: Engine, job_id: int) -> list[Row]:
    """The dead stages of a job with the traceback of their last attempt."""
    with reading(engine) as conn:
        rows = conn.execute(
            text("""
                SELECT id AS stage_id, stage, attempt, error_code, error, traceback FROM stages
                 WHERE job_id = :job AND state = 'dead' ORDER BY id
            """),
            {"job": job_id},
        ).mappings()
        return [dict(row) for row in rows]


def first_score(engine: Engine, job_id: int) -> bool:
    """True when at least one utterance of the job has been scored, by it or earlier."""
    with reading(engine) as conn:
        return bool(
            conn.execute(
                text("""
                    SELECT EXISTS (SELECT FROM batches WHERE job_id = :job AND finished_at IS NOT NULL)
                        OR EXISTS (SELECT FROM job_recordings WHERE job_id = :job AND state = 'done')
                """),
                {"job": job_id},
            ).scalar()
        )


def retry(engine: Engine, job_id: int) -> int:
    """Put a job's dead units back to work; returns how many."""
    return work.retry_job(engine, job_id)


def cancel(engine: Engine, job_id: int) -> int:
    """Give up a job's open recordings; returns how many."""
    return work.cancel_job(engine, job_id)
