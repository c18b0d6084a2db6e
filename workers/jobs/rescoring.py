"""Back-filling: the recordings of a job, scored by another version of its profile."""

import uuid

from sqlalchemy import Connection, text

from db import erasures
from db.errors import NotFound
from workers.errors import NothingToRescore
from workers.jobs.scoring import claim_scoring, lengths
from workers.jobs.versions import version_id
from workers.ledger.units import add_batches
from workers.settings import Settings

#: Alignments that are cut into batches at once.
_CHUNK = 500


def rescore(conn: Connection, settings: Settings, job_id: int, version: int | None) -> int:
    """Make a job that scores what a job analysed by a version of its profile (None: the champion); returns its id.

    Alignments are used as they are; what that version has scored already is not scored again. Raises `NotFound` or
    `NothingToRescore`.
    """
    erasures.share(conn)
    job = conn.execute(
        text("""
            SELECT j.archive_id, j.options, j.priority, v.profile_id, p.champion_id
              FROM jobs j JOIN profile_versions v ON v.id = j.profile_version_id JOIN profiles p ON p.id = v.profile_id
             WHERE j.id = :job
        """),
        {"job": job_id},
    ).one_or_none()
    if job is None:
        raise NotFound(f"there is no job {job_id}")
    target = job.champion_id if version is None else version_id(conn, job.profile_id, version)
    # Nothing has to be walked, so the job begins where others are after their ingest, and its batches begin chains.
    made = int(
        conn.execute(
            text("""
                INSERT INTO jobs
                       (archive_id, profile_version_id, options, priority, root_id, state, files_seen, ingested_at)
                SELECT archive_id, :version, options, priority, :root, 'running', files_seen, now()
                  FROM jobs WHERE id = :job RETURNING id
            """),
            {"job": job_id, "version": target, "root": uuid.uuid4()},
        ).scalar_one()
    )
    files = conn.execute(
        text("""
            INSERT INTO job_recordings (job_id, file_id, recording_id, alignment_id, profile_version_id, state, reused)
            SELECT :made, r.file_id, r.recording_id, r.alignment_id, :version,
                   CASE WHEN s.state = 'done' THEN 'done' ELSE 'scoring' END, coalesce(s.state = 'done', false)
              FROM job_recordings r JOIN alignments a ON a.id = r.alignment_id AND a.state = 'done'
              LEFT JOIN recording_scores s ON s.alignment_id = a.id AND s.profile_version_id = :version
             WHERE r.job_id = :job
        """),
        {"made": made, "job": job_id, "version": target},
    ).rowcount
    if not files:
        raise NothingToRescore(f"job {job_id} has no recording that was aligned")
    alignments = list(
        conn.execute(
            text("""
                SELECT DISTINCT alignment_id FROM job_recordings WHERE job_id = :job AND state = 'scoring'
                 ORDER BY alignment_id
            """),
            {"job": made},
        ).scalars()
    )
    for start in range(0, len(alignments), _CHUNK):
        mine = [a for a in alignments[start : start + _CHUNK] if claim_scoring(conn, a, target)]
        add_batches(conn, made, target, [lengths(conn, a) for a in mine], settings.batch_s, None, None)
    return made
