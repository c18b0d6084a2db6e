"""`tenor analyze`: from a folder to rows in Postgres with one call."""

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from db.engine import make_engine
from ml.profiles import Profile, load_profile
from ops import jobs
from ops.local import Services, up
from ops.local.home import last_lines
from ops.local.processes import running
from ops.local.services import WORKERS
from ops.progress import follow
from workers.enqueue import JobOptions
from workers.settings import Settings, load_settings


@dataclass(frozen=True, slots=True)
class AnalysisResult:
    """What became of an archive; `first_score_s` counts from the start of the command."""

    job_id: int
    state: str
    files: int
    done: int
    failed: int
    warnings: int
    reused: int
    utterances: int
    audio_s: float
    elapsed_s: float
    first_score_s: float | None

    def to_dict(self) -> dict[str, Any]:
        """For --json."""
        return asdict(self)


def analyze(
    archive: Path,
    *,
    settings: Settings | None = None,
    profile: str | None = None,
    options: JobOptions | None = None,
    console: Console | None = None,
    started: float | None = None,
) -> tuple[AnalysisResult, Services]:
    """Start what is needed, enqueue, and watch until the job ends. Services and workers stay up.

    Raises what `create_job` raises, `ServiceFailed`, `DatabaseUnavailable`; KeyboardInterrupt leaves the job running.
    """
    settings = settings or load_settings()
    console = console or Console(stderr=True)
    started = time.monotonic() if started is None else started
    chosen = load_profile(profile or settings.profile)
    services = up(settings, progress=lambda line: console.print(line, style="dim"))
    show_licences(chosen, settings.home, console)
    use(services)
    engine = make_engine(services.database_url)
    job_id = jobs.enqueue(engine, archive, chosen, options)
    row, first_score_s = watch(services, job_id, console, started=started)
    result = AnalysisResult(
        job_id=job_id,
        elapsed_s=time.monotonic() - started,
        first_score_s=first_score_s,
        **{k: row[k] for k in ("state", "files", "done", "failed", "warnings", "reused", "utterances", "audio_s")},
    )
    return result, services


def use(services: Services) -> None:
    """Let this process publish to the services' broker."""
    from workers.app import app

    app.conf.broker_url = services.broker_url
    app.conf.broker_read_url = app.conf.broker_write_url = services.broker_url


def watch(
    services: Services, job_id: int, console: Console, *, started: float | None = None
) -> tuple[dict[str, Any], float | None]:
    """Follow a job; local workers that have died are named with the end of their log."""
    run = services.settings.home / "run"
    local = [name for name in WORKERS if (run / f"{name}.json").exists()]

    def alive() -> str | None:
        for name in local:
            if running(run, name) is None:
                log = services.settings.home / "logs" / f"{name}.log"
                return f"the worker {name} has ended; job {job_id} waits. Its log ends with:\n{last_lines(log, 4)}"
        return None

    engine = make_engine(services.database_url)
    return follow(engine, job_id, console, started=time.monotonic() if started is None else started, alive=alive)


def show_licences(profile: Profile, home: Path, console: Console) -> None:
    """Print each bundle's licence the first time it is used here."""
    seen = home / "licences-shown"
    known = set(seen.read_text().splitlines()) if seen.exists() else set()
    new = [entry for entry in profile.licences() if f"{entry.bundle} {entry.licence}" not in known]
    for entry in new:
        console.print(f"Model {entry.bundle}: {entry.licence}; {entry.notice}.", highlight=False)
    if new:
        seen.write_text("\n".join(sorted(known | {f"{entry.bundle} {entry.licence}" for entry in new})) + "\n")
