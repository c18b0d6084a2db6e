"""Jobs as a program sees them: enqueue, look at, pause, resume, retry, cancel. The command prints what these return."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, Row, text

from db.errors import NotFound
from ml.errors import TenorError
from ops.interrupted import leaving
from workers.errors import ArchiveMissing

if TYPE_CHECKING:
    from ml.profiles import Profile
    from workers.jobs.enqueue import JobOptions
    from workers.settings import Settings

#: States of a job that nothing changes any more.
ENDED = frozenset({"done", "failed", "cancelled"})


class JobFailed(TenorError):
    """A job ended without results: cancelled, its archive could not be read, or nothing in it could."""

    code = "job_failed"

    def __init__(self, message: str, *, hint: str | None = None, code: str | None = None, job_id: int) -> None:
        super().__init__(message, hint=hint)
        self.job_id = job_id
        if code is not None:
            self.code = code


@dataclass(frozen=True, slots=True)
class JobStatus:
    """How far a job is; seconds are of audio (whole recordings) or of speech (utterances)."""

    job_id: int
    archive: str
    profile: str
    version: int
    state: str
    error_code: str | None
    error: str | None
    priority: int
    created_at: datetime
    finished_at: datetime | None
    elapsed_s: float
    #: The whole archive has been walked, so that the totals below are final.
    listed: bool
    files: int
    done: int
    failed: int
    cancelled: int
    #: Of `done`: shown from an earlier job's analysis.
    reused: int
    #: Of `done`: analysed, but without something, e.g. a transcript that does not match.
    warnings: int
    #: Lines of the manifest and of lists of transcripts that could not be followed.
    manifest_problems: int
    utterances: int
    audio_s: float
    audio_done_s: float
    audio_reused_s: float
    speech_done_s: float
    #: Of `failed`: not analysed, because they were erased before.
    erased: int = 0

    @property
    def ended(self) -> bool:
        """True when the job is done, failed or cancelled."""
        return self.state in ENDED

    @property
    def open(self) -> int:
        """Recordings that are still worked on."""
        return self.files - self.done - self.failed - self.cancelled

    @property
    def analysed_s(self) -> float:
        """Audio that this job itself analysed, in seconds; parts of unfinished recordings count too."""
        return max(self.audio_done_s - self.audio_reused_s, self.speech_done_s)


@dataclass(frozen=True, slots=True)
class Backlog:
    """What is left of one stage of a job."""

    stage: str
    waiting: int
    ready: int
    running: int
    dead: int


@dataclass(frozen=True, slots=True)
class Running:
    """A stage that a worker holds at this moment."""

    stage: str
    #: Of its unit; None for the walk of an archive, whose size nobody knows yet.
    recordings: int | None
    #: Of audio (align) or of speech.
    minutes: float | None
    #: How far it is, in the worker's words; None as long as it has said nothing.
    progress: str | None
    elapsed_s: float
    host: str
    #: Its name in Flower.
    task_id: str


#: The view has what is finished; the rest says how much of that is old, and what is ready of open recordings.
#: A batch can also end by being cancelled or dead, so that its last stage tells whether it was scored.
_STATUS = """
SELECT p.job_id, p.archive, p.profile, p.version, p.state, p.error_code, p.error, p.priority,
       p.created_at, p.finished_at, p.elapsed_s, p.listed,
       CASE WHEN p.listed THEN p.files ELSE greatest(p.files, j.files_seen) END AS files,
       p.done, p.failed, p.cancelled, p.reused, p.warnings,
       (SELECT count(*) FROM manifest_problems m WHERE m.job_id = j.id) AS manifest_problems,
       (SELECT count(*) FROM job_recordings e
         WHERE e.job_id = j.id AND e.state = 'failed' AND e.error_code = 'recording_erased') AS erased,
       greatest(p.utterances, old.utterances + new.utterances) AS utterances,
       p.audio_s, p.audio_done_s, old.audio_s AS audio_reused_s, new.speech_s AS speech_done_s
  FROM job_progress p
  JOIN jobs j ON j.id = p.job_id
 CROSS JOIN LATERAL (
       SELECT coalesce(sum(r.duration_s::float8), 0) AS audio_s, coalesce(sum(s.utterances), 0) AS utterances
         FROM job_recordings jr
         LEFT JOIN recordings r ON r.id = jr.recording_id
         LEFT JOIN recording_scores s
                ON s.alignment_id = jr.alignment_id AND s.profile_version_id = jr.profile_version_id
        WHERE jr.job_id = j.id AND jr.state = 'done' AND jr.reused) old
 CROSS JOIN LATERAL (
       SELECT coalesce(sum(b.seconds::float8), 0) AS speech_s, coalesce(sum(b.utterances), 0) AS utterances
         FROM batches b
         JOIN stages s ON s.batch_id = b.id AND s.stage = 'fuse' AND s.state = 'done'
        WHERE b.job_id = j.id AND b.finished_at IS NOT NULL) new
"""


def _status(row: Row[tuple[object, ...]]) -> JobStatus:
    return JobStatus(**row._mapping)


def status(conn: Connection, job_id: int) -> JobStatus:
    """How far one job is; raises `NotFound`."""
    row = conn.execute(text(_STATUS + " WHERE j.id = :job_id"), {"job_id": job_id}).one_or_none()
    if row is None:
        raise NotFound(f"there is no job {job_id}", hint="`tenor status` lists the jobs there are.")
    return _status(row)


def recent(conn: Connection, limit: int = 10) -> list[JobStatus]:
    """The newest jobs, newest first."""
    chosen = " WHERE j.id IN (SELECT id FROM jobs ORDER BY id DESC LIMIT :limit) ORDER BY j.id DESC"
    return [_status(row) for row in conn.execute(text(_STATUS + chosen), {"limit": limit})]


def latest(conn: Connection) -> int:
    """The newest job's id; raises `NotFound` when there is none."""
    job_id = conn.execute(text("SELECT max(id) FROM jobs")).scalar()
    if job_id is None:
        raise NotFound("there is no job yet", hint="`tenor analyze PATH` makes one.")
    return int(job_id)


def backlog(conn: Connection, job_id: int) -> list[Backlog]:
    """Open and dead stages of a job, in the order of the pipeline."""
    rows = conn.execute(
        text("""
            SELECT stage, count(*) FILTER (WHERE state = 'waiting') AS waiting,
                   count(*) FILTER (WHERE state = 'ready') AS ready,
                   count(*) FILTER (WHERE state = 'running') AS running,
                   count(*) FILTER (WHERE state = 'dead') AS dead
              FROM (SELECT stage, state FROM stages
                     WHERE job_id = :job_id AND state IN ('waiting', 'ready', 'running')
                    UNION ALL
                    SELECT stage, state FROM stages WHERE job_id = :job_id AND state = 'dead') left_over
             GROUP BY stage
             ORDER BY array_position(ARRAY['ingest', 'align', 'extract', 'ser', 'ter', 'fuse'], stage)
        """),
        {"job_id": job_id},
    )
    return [Backlog(**row._mapping) for row in rows]


def running(conn: Connection, job_id: int) -> list[Running]:
    """What workers hold of a job at this moment, the longest first."""
    rows = conn.execute(
        text("""
            SELECT s.stage,
                   CASE WHEN s.group_id IS NOT NULL
                        THEN (SELECT count(*) FROM group_members m WHERE m.group_id = s.group_id)
                        WHEN s.batch_id IS NOT NULL
                        THEN (SELECT count(DISTINCT m.alignment_id) FROM batch_members m WHERE m.batch_id = s.batch_id)
                   END AS recordings,
                   CAST(coalesce(g.seconds, b.seconds) AS float) / 60 AS minutes, s.progress,
                   CAST(coalesce(extract(epoch FROM now() - s.started_at), 0) AS float) AS elapsed_s,
                   split_part(s.owner, '/', 1) AS host, CAST(s.task_id AS text) AS task_id
              FROM stages s LEFT JOIN groups g ON g.id = s.group_id LEFT JOIN batches b ON b.id = s.batch_id
             WHERE s.job_id = :job_id AND s.state = 'running'
             ORDER BY s.started_at, s.id
        """),
        {"job_id": job_id},
    )
    return [Running(**row._mapping) for row in rows]


def require_archive(archive: Path | str) -> None:
    """Refuse a folder that is not there before any service is started; raises `ArchiveMissing`."""
    if isinstance(archive, str):
        # In an object store, or a path that is yet to be one.
        if archive.startswith("s3://"):
            return
        archive = Path(archive)
    try:
        if not archive.expanduser().exists():
            raise ArchiveMissing(f"there is no folder or file {archive}")
    except PermissionError as exc:
        raise ArchiveMissing(f"the archive {archive} cannot be read: {exc.strerror}") from exc


def enqueue(engine: Engine, archive: Path | str, profile: "Profile", options: "JobOptions") -> int:
    """Make a job for an archive and send its first message; returns its id. Needs `ops.access.reach` before.

    Raises `ArchiveMissing`, `ArchiveEmpty`.
    """
    from workers.jobs.enqueue import create_job

    with leaving("The job may have been made: `tenor status` lists the jobs, `tenor cancel JOB` ends one."):
        return create_job(engine, archive, profile, options)


def retry(engine: Engine, settings: "Settings", job_id: int, code: str | None = None) -> int:
    """Put back to work what may succeed another time, with `code` only what failed so; returns how many pieces.

    Raises `NotFound`.
    """
    from workers.jobs.changes import retry_job

    return retry_job(engine, settings, job_id, code)


def retry_all(engine: Engine, settings: "Settings", code: str | None = None) -> dict[int, int]:
    """The same for every job that was not cancelled; returns how many pieces by job, of those that had some."""
    from workers.errors import WORTH_RETRYING

    with engine.connect() as conn:
        found = conn.execute(
            text("""
                SELECT id FROM jobs j WHERE state <> 'cancelled' AND (
                       EXISTS (SELECT FROM stages s WHERE s.job_id = j.id AND s.state = 'dead')
                    OR EXISTS (SELECT FROM job_recordings r
                                WHERE r.job_id = j.id AND r.state = 'failed' AND r.error_code = ANY(:worth)))
                 ORDER BY id
            """),
            {"worth": list(WORTH_RETRYING)},
        ).scalars()
        jobs = list(found)
    counts = {job_id: retry(engine, settings, job_id, code) for job_id in jobs}
    return {job_id: count for job_id, count in counts.items() if count}


def cancel(engine: Engine, job_id: int) -> int:
    """Drop the open work that no other live job shares; returns how many pieces. Raises `NotFound` or `JobEnded`."""
    from workers.jobs.changes import cancel_job

    return cancel_job(engine, job_id)


def pause(engine: Engine, job_id: int) -> None:
    """Begin nothing more of a job. Raises `NotFound` or `JobEnded`."""
    from workers.jobs.changes import pause_job

    pause_job(engine, job_id)


def resume(engine: Engine, settings: "Settings", job_id: int) -> None:
    """Go on with a paused job. Raises `NotFound` or `JobEnded`."""
    from workers.jobs.changes import resume_job

    resume_job(engine, settings, job_id)
