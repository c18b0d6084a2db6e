"""Which analysis a report is about: a recording by its path, its file or its id, as the views show it."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, text

from ops import jobs
from ops.cli.text import visible
from ops.report.errors import NotAnalysed, RecordingUnclear, RecordingUnknown
from workers.archives.files import storable_path

#: Names in a sentence, and names that a typing error is looked for among.
MOST_NAMES, MOST_KNOWN = 5, 5000


@dataclass(frozen=True, slots=True)
class Target:
    """A file's content as one version of a profile heard it."""

    file_id: int
    #: What was analysed; the file may hold something else by now.
    recording_id: int
    archive: str
    path: str
    alignment_id: int
    profile_version_id: int
    profile: str
    version: int
    #: The job that was asked about, else the newest that shows these values; None where its rows are gone.
    job_id: int | None
    #: Whether the views that know no jobs show these values.
    current: bool


_ANALYSES = """
SELECT f.id AS file_id, al.recording_id, a.url AS archive, f.path, s.alignment_id, s.profile_version_id,
       p.name AS profile, v.version, s.job_id, s.current
  FROM ({shown}) s
  JOIN archive_files f ON f.id = s.file_id
  JOIN archives a ON a.id = f.archive_id
  JOIN alignments al ON al.id = s.alignment_id
  JOIN profile_versions v ON v.id = s.profile_version_id
  JOIN profiles p ON p.id = v.profile_id
 ORDER BY a.url, f.path, p.name, s.job_id DESC
"""
_CURRENT = """
SELECT c.file_id, c.alignment_id, c.profile_version_id, true AS current,
       (SELECT max(jr.job_id) FROM job_recordings jr
         WHERE jr.file_id = c.file_id AND jr.alignment_id = c.alignment_id
           AND jr.profile_version_id = c.profile_version_id AND jr.state = 'done') AS job_id
  FROM current_recording_scores c WHERE c.file_id = ANY(:files)
"""
_OF_JOB = """
SELECT jr.file_id, jr.alignment_id, jr.profile_version_id, jr.job_id,
       EXISTS (SELECT FROM current_recording_scores c
                WHERE c.file_id = jr.file_id AND c.alignment_id = jr.alignment_id
                  AND c.profile_version_id = jr.profile_version_id) AS current
  FROM job_recordings jr WHERE jr.file_id = ANY(:files) AND jr.job_id = :job AND jr.state = 'done'
"""


def find(conn: Connection, name: str, job: int | None = None) -> Target:
    """The analysis that is meant, of a job or the one that the views show.

    A name is a file or URL of an archive, a path within one or the end of that, or a recording's id, the first of these
    that fits. Raises `RecordingUnknown`, `RecordingUnclear`, `NotAnalysed`, or `NotFound` without such a job.
    """
    if job is not None:
        jobs.status(conn, job)
    files = _files(conn, name, job)
    if not files:
        raise _unknown(conn, name, job)
    query = text(_ANALYSES.format(shown=_CURRENT if job is None else _OF_JOB))
    found = conn.execute(query, {"files": [row.id for row in files], "job": job}).all()
    if not found:
        raise _not_analysed(conn, files, job)
    if len({(row.alignment_id, row.profile_version_id) for row in found}) > 1:
        raise _unclear(name, found)
    return Target(**found[0]._mapping)


def _files(conn: Connection, name: str, job: int | None) -> Sequence[Row[Any]]:
    given = storable_path(name.removeprefix("./"))
    whole = given if "://" in given else storable_path(str(Path(name).absolute()))
    forms = list({unicodedata.normalize(form, one) for form in ("NFC", "NFD") for one in (given, given.rstrip("/"))})
    values = {
        "forms": forms,
        "wholes": list({unicodedata.normalize(form, whole) for form in ("NFC", "NFD")} | {whole}),
        "ends": [f"/{form}" for form in forms],
        "id": int(given) if given.isascii() and given.isdecimal() and len(given) < 19 else None,
        "job": job,
    }
    for condition in (
        # Written so that the index on archive and path serves it.
        """f.id IN (SELECT g.id FROM unnest(CAST(:wholes AS text[])) AS w
                      JOIN archives b ON starts_with(w, b.url || '/')
                      JOIN archive_files g ON g.archive_id = b.id AND g.path = substr(w, length(b.url) + 2))""",
        "f.path = ANY(:forms)",
        "EXISTS (SELECT FROM unnest(CAST(:ends AS text[])) AS e WHERE right(f.path, length(e)) = e)",
        "f.recording_id = :id",
    ):
        query = f"""
            SELECT f.id, f.path, f.error FROM archive_files f JOIN archives a ON a.id = f.archive_id
             WHERE {condition} AND (CAST(:job AS bigint) IS NULL OR EXISTS (
                   SELECT FROM job_recordings jr WHERE jr.file_id = f.id AND jr.job_id = :job))
             ORDER BY f.path LIMIT 100
        """
        if rows := conn.execute(text(query), values).all():
            return rows
    return []


def _unknown(conn: Connection, name: str, job: int | None) -> RecordingUnknown:
    of_job = """CAST(:job AS bigint) IS NULL OR EXISTS (
                SELECT FROM job_recordings jr WHERE jr.file_id = f.id AND jr.job_id = :job)"""
    values = {"job": job, "name": name.casefold(), "most": MOST_KNOWN, "few": MOST_NAMES + 1}
    holding = f"SELECT path FROM archive_files f WHERE position(:name IN lower(path)) > 0 AND ({of_job}) LIMIT :few"
    newest = f"SELECT path FROM archive_files f WHERE {of_job} ORDER BY id DESC LIMIT :most"
    near = list(conn.execute(text(holding), values).scalars())
    known = list(conn.execute(text(newest), values).scalars())
    for resembles in (str, _last):
        of = {resembles(path).casefold(): path for path in known}
        near += [of[one] for one in get_close_matches(resembles(name).casefold(), of, n=MOST_NAMES)]
    where = "the database knows no recording" if job is None else f"job {job} has no recording"
    said = f"{where} {visible(name)}"
    return RecordingUnknown(f"{said}; perhaps {_or(list(dict.fromkeys(near)))}" if near else said)


def _last(path: str) -> str:
    return path.rpartition("/")[2]


def _not_analysed(conn: Connection, files: Sequence[Row[Any]], job: int | None) -> NotAnalysed:
    last = conn.execute(
        text("""
            SELECT jr.job_id, jr.state, jr.error FROM job_recordings jr
             WHERE jr.file_id = ANY(:files) AND (CAST(:job AS bigint) IS NULL OR jr.job_id = :job)
             ORDER BY jr.job_id DESC LIMIT 1
        """),
        {"files": [row.id for row in files], "job": job},
    ).one_or_none()
    name = visible(files[0].path)
    if last is None or last.state == "done":
        return NotAnalysed(f"{name} has not been analysed")
    if last.state in {"failed", "cancelled"}:
        why = f": {last.error or files[0].error}" if last.error or files[0].error else ""
        return NotAnalysed(
            f"{name} {'failed' if last.state == 'failed' else 'was cancelled'} in job {last.job_id}{why}"
        )
    return NotAnalysed(f"{name} is still being analysed by job {last.job_id}")


def _unclear(name: str, found: Sequence[Row[Any]]) -> RecordingUnclear:
    if len({row.file_id for row in found}) == 1:
        which = [f"{row.job_id} for {row.profile} version {row.version}" for row in found]
        hint = "Say which with --job."
        return RecordingUnclear(f"{visible(name)} was analysed by {len(found)} profiles: job {_or(which)}", hint=hint)
    names = list(dict.fromkeys(f"{row.archive}/{row.path}" for row in found))
    return RecordingUnclear(
        f"{visible(name)} may be one of {len(names)} recordings: {_or(names)}", hint="Give one of these, or a --job."
    )


def _or(names: Sequence[str]) -> str:
    """A list as a sentence has it, the first few by name."""
    shown = [visible(name) for name in names[:MOST_NAMES]]
    if len(names) > MOST_NAMES:
        return ", ".join(shown) + f" or one of {len(names) - MOST_NAMES:,} more"
    return shown[0] if len(shown) == 1 else ", ".join(shown[:-1]) + f" or {shown[-1]}"
