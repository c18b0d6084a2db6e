"""`tenor analyze` as a function: services, enqueue, follow. Used by the command and by `make demo`."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from db.engine import libpq_url, make_engine
from ops import access, jobs
from ops.cli.licences import announce
from ops.cli.text import visible
from ops.follow import follow
from ops.interrupted import NOTHING, leaving
from ops.jobs import JobStatus
from ops.progress import display, say
from workers.settings import Settings


class NothingAnalysed(jobs.JobFailed):
    """Every recording of an archive failed."""

    code = "nothing_analysed"


@dataclass(frozen=True, slots=True)
class AnalysisResult:
    """What one analysis did; of the `files` that are `done`, `reused` were analysed before."""

    job_id: int
    profile: str
    version: int
    files: int
    done: int
    failed: int
    reused: int
    #: Of `done`: analysed, but without something, e.g. a transcript that does not match.
    warnings: int
    #: Lines of the manifest and of lists of transcripts that could not be followed.
    manifest_problems: int
    utterances: int
    #: Length of all recordings that were readable; of them, reused ones.
    audio_s: float
    audio_reused_s: float
    #: From the start of the command to the first row in `scores`; None when nothing new was scored.
    first_score_s: float | None
    elapsed_s: float
    #: TENOR_HOME, where the services, logs and passwords are.
    home: Path
    #: Read-only login, with its password when it is the embedded server's.
    analyst_url: str
    flower_url: str | None
    flower_user: str | None
    flower_password: str | None
    #: True when the URLs above may be shown: they are this machine's own, not from somebody's settings.
    embedded: bool


def process_started() -> float:
    """When this process began, on the clock of `time.monotonic`; now, where the kernel does not tell."""
    now = time.monotonic()
    try:
        ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
        return now - (time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK"))
    except (OSError, ValueError, IndexError, AttributeError):
        return now


def analyze(
    archive: Path | str,
    settings: Settings,
    profile: str | None,
    console: Console,
    *,
    options: Mapping[str, Any] | None = None,
    progress: bool = True,
    started: float | None = None,
) -> AnalysisResult:
    """Analyse an archive from start to end; services and workers stay up afterwards.

    `options` are fields of `JobOptions`; the others keep their defaults. Progress goes to `console`. Times
    count from `started` (clock of `time.monotonic`; default: when this process began).

    Raises `ArchiveMissing`, `ArchiveEmpty`, `JobFailed` (cancelled, or the archive cannot be read),
    `NothingAnalysed`, errors of the profile and the services, and `Detached` on Ctrl-C.
    """
    started = process_started() if started is None else started
    jobs.require_archive(archive)
    with leaving(NOTHING):
        from ml.profiles import load_profile

        chosen = load_profile(profile or settings.profile, trained=settings.models)
        announce(chosen, settings.home, console)
    reached = access.start(settings, lambda line: say(console, line))
    from workers.jobs.enqueue import JobOptions

    engine = make_engine(reached.database_url)
    job_id = jobs.enqueue(engine, archive, chosen, JobOptions(**(options or {})))
    say(console, f"Job {job_id}: {visible(str(archive))} with profile {chosen.name}")

    def first_score(at: float) -> None:
        say(console, f"First score {at - started:.1f} s after the start.")

    with display(console, progress=progress) as show:
        followed = follow(
            engine,
            job_id,
            show,
            broker_answers=reached.broker_answers,
            workers_run=reached.workers_run,
            on_first_score=first_score if progress else None,
        )
    status = followed.status
    require_success(status)
    at = followed.first_score_at
    return AnalysisResult(
        job_id=job_id,
        profile=status.profile,
        version=status.version,
        files=status.files,
        done=status.done,
        failed=status.failed,
        reused=status.reused,
        warnings=status.warnings,
        manifest_problems=status.manifest_problems,
        utterances=status.utterances,
        audio_s=status.audio_s,
        audio_reused_s=status.audio_reused_s,
        first_score_s=None if at is None else at - started,
        elapsed_s=time.monotonic() - started,
        home=settings.home,
        analyst_url=libpq_url(reached.analyst_url),
        flower_url=reached.flower_url,
        flower_user=reached.flower_user,
        flower_password=reached.flower_password,
        embedded=reached.embedded,
    )


def require_success(status: JobStatus) -> None:
    """Raise `JobFailed` or `NothingAnalysed` unless the job ended with at least one analysed recording."""
    if status.state == "cancelled":
        raise jobs.JobFailed(
            f"job {status.job_id} was cancelled",
            hint="What was analysed is kept; enqueueing the archive again continues.",
            job_id=status.job_id,
        )
    if status.state == "failed":
        raise jobs.JobFailed(
            status.error or f"job {status.job_id} failed",
            hint="" if status.error else f"See `tenor errors {status.job_id}`.",
            code=status.error_code,
            job_id=status.job_id,
        )
    if status.done == 0:
        count = "The only recording" if status.files == 1 else f"None of the {status.files:,} recordings"
        raise NothingAnalysed(
            f"{count} could {'not ' if status.files == 1 else ''}be analysed",
            hint=f"`tenor errors {status.job_id}` says why for each.",
            job_id=status.job_id,
        )
