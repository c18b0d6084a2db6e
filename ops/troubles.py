"""What went wrong in a job: recordings that failed, lines of the manifest, work that was given up."""

from dataclasses import dataclass

from sqlalchemy import Connection, text

from db.errors import NotFound
from workers.errors import WORTH_RETRYING


@dataclass(frozen=True, slots=True)
class FileError:
    """What is wrong with a file of the archive."""

    path: str
    code: str
    error: str


@dataclass(frozen=True, slots=True)
class ManifestProblem:
    """A line of the archive's manifest, or of a list of transcripts, that could not be followed, in part or at all."""

    #: The list's path within the archive; "" for the manifest.
    file: str
    line: int
    code: str
    error: str


@dataclass(frozen=True, slots=True)
class DeadStage:
    """Work that ended without a named error as often as is allowed; `tenor retry` gives it another chance."""

    stage_id: int
    stage: str
    attempts: int
    code: str
    error: str


@dataclass(frozen=True, slots=True)
class JobErrors:
    """What went wrong in a job; the lists hold the first ones, the counts are of all.

    `warnings` are of recordings that were analysed, but without something (a transcript that does not match).
    """

    job_id: int
    error_code: str | None
    error: str | None
    failed: int
    by_code: dict[str, int]
    recordings: list[FileError]
    warned: int
    warnings: list[FileError]
    dead_stages: int
    dead: list[DeadStage]
    manifest_problems: int
    manifest: list[ManifestProblem]


@dataclass(frozen=True, slots=True)
class GivenUp:
    """One kind of failure over all jobs."""

    #: The stage whose work went dead; "": recordings that failed.
    stage: str
    code: str
    count: int
    jobs: list[int]
    #: What the newest one says.
    error: str
    #: `tenor retry` tries it again.
    retried: bool


_GIVEN_UP = text("""
SELECT stage, coalesce(error_code, 'unknown') AS code, count(*) AS units, array_agg(DISTINCT job_id) AS jobs,
       coalesce((array_agg(error ORDER BY finished_at DESC NULLS LAST))[1], '') AS error, true AS retried
  FROM stages WHERE state = 'dead' GROUP BY 1, 2
 UNION ALL
SELECT '', coalesce(error_code, 'unknown'), count(*), array_agg(DISTINCT job_id),
       coalesce((array_agg(error ORDER BY job_id DESC))[1], ''), bool_and(coalesce(error_code, '') = ANY(:worth))
  FROM job_recordings WHERE state = 'failed' GROUP BY 1, 2
 ORDER BY 1 DESC, 3 DESC, 2
""")


def given_up(conn: Connection) -> list[GivenUp]:
    """Everything that was given up or failed, over all jobs, by kind; dead work first."""
    rows = conn.execute(_GIVEN_UP, {"worth": list(WORTH_RETRYING)})
    return [GivenUp(row.stage, row.code, row.units, sorted(row.jobs), row.error, row.retried) for row in rows]


_FAILURES = text("""
SELECT f.path, coalesce(jr.error_code, 'unknown') AS code, coalesce(jr.error, '') AS error
  FROM job_recordings jr
  JOIN archive_files f ON f.id = jr.file_id
 WHERE jr.job_id = :job_id AND jr.state = :state AND (jr.state = 'failed' OR jr.error_code IS NOT NULL)
 ORDER BY f.path
 LIMIT :limit
""")

_MANIFEST = text("""
SELECT file, line, code, error FROM manifest_problems WHERE job_id = :job_id
 ORDER BY file, line, code
 LIMIT :limit
""")

_DEAD = text("""
SELECT id AS stage_id, stage, attempt AS attempts, coalesce(error_code, 'unknown') AS code,
       coalesce(error, '') AS error
  FROM stages
 WHERE job_id = :job_id AND state = 'dead'
 ORDER BY id
 LIMIT :limit
""")


def errors(conn: Connection, job_id: int, limit: int | None = None) -> JobErrors:
    """Failed recordings by path, lines of the manifest, dead stages, the first `limit` of each; raises `NotFound`."""
    job = conn.execute(text("SELECT error_code, error FROM jobs WHERE id = :id"), {"id": job_id}).one_or_none()
    if job is None:
        raise NotFound(f"there is no job {job_id}", hint="`tenor status` lists the jobs there are.")
    counted = conn.execute(
        text("""
            SELECT state, coalesce(error_code, 'unknown') AS code, count(*) AS files
              FROM job_recordings
             WHERE job_id = :id AND (state = 'failed' OR state = 'done' AND error_code IS NOT NULL)
             GROUP BY 1, 2 ORDER BY 3 DESC, 2
        """),
        {"id": job_id},
    ).all()
    by_code = {str(row.code): int(row.files) for row in counted if row.state == "failed"}
    dead_stages = conn.execute(
        text("SELECT count(*) FROM stages WHERE job_id = :id AND state = 'dead'"), {"id": job_id}
    ).scalar_one()

    manifest_problems = conn.execute(
        text("SELECT count(*) FROM manifest_problems WHERE job_id = :id"), {"id": job_id}
    ).scalar_one()

    def files(state: str) -> list[FileError]:
        found = conn.execute(_FAILURES, {"job_id": job_id, "state": state, "limit": limit})
        return [FileError(**row._mapping) for row in found]

    dead = conn.execute(_DEAD, {"job_id": job_id, "limit": limit})
    manifest = conn.execute(_MANIFEST, {"job_id": job_id, "limit": limit})
    return JobErrors(
        job_id=job_id,
        error_code=job.error_code,
        error=job.error,
        failed=sum(by_code.values()),
        by_code=by_code,
        recordings=files("failed"),
        warned=sum(int(row.files) for row in counted if row.state == "done"),
        warnings=files("done"),
        dead_stages=dead_stages,
        dead=[DeadStage(**row._mapping) for row in dead],
        manifest_problems=manifest_problems,
        manifest=[ManifestProblem(**row._mapping) for row in manifest],
    )
