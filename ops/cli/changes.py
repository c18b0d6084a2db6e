"""What a person can do to a job that was enqueued: pause, resume, retry, cancel."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlalchemy import Engine

from db.engine import make_engine
from ops import access, jobs
from ops.cli.session import Session
from workers.settings import Settings, load_settings


@dataclass(frozen=True, slots=True)
class Changed:
    """What a change has done: its JSON field, and the sentence for a person."""

    field: str
    value: bool | int
    sentence: str


Change = Callable[[Engine, Settings, int], Changed]


def change(session: Session, job_id: int, what: Change) -> None:
    """Make the change and say what it did."""
    settings = load_settings()
    changed = what(make_engine(access.reach(settings, session.say).database_url), settings, job_id)
    if session.json_output:
        session.document({"job_id": job_id, changed.field: changed.value})
    else:
        session.print(changed.sentence)


def _pause(engine: Engine, settings: Settings, job_id: int) -> Changed:
    jobs.pause(engine, job_id)
    sentence = f"Job {job_id} is paused; what runs is finished and kept. Go on: tenor resume {job_id}"
    return Changed("paused", True, sentence)


def _resume(engine: Engine, settings: Settings, job_id: int) -> Changed:
    jobs.resume(engine, settings, job_id)
    return Changed("paused", False, f"Job {job_id} goes on; follow it: tenor status {job_id} --watch")


def retry_all(session: Session, code: str | None) -> None:
    """Give the dead work of all jobs another chance."""
    settings = load_settings()
    found = jobs.retry_all(make_engine(access.reach(settings, session.say).database_url), settings, code)
    if session.json_output:
        session.document({"requeued": found})
    elif found:
        session.print(f"{sum(found.values()):,} pieces of work are ready again, of jobs {', '.join(map(str, found))}.")
    else:
        session.print("Nothing to retry.")


def retrying(code: str | None) -> Change:
    """The change that gives one job another chance, or only what failed with a code."""
    return lambda engine, settings, job_id: _retry(engine, settings, job_id, code)


def _retry(engine: Engine, settings: Settings, job_id: int, code: str | None) -> Changed:
    count = jobs.retry(engine, settings, job_id, code)
    again = f"{count:,} pieces of work are ready again; follow them: tenor status {job_id} --watch"
    nothing = (
        f"Nothing to retry in job {job_id}: another try helps nothing that failed there (`tenor errors {job_id}`)."
    )
    return Changed("requeued", count, again if count else nothing)


def _cancel(engine: Engine, settings: Settings, job_id: int) -> Changed:
    count = jobs.cancel(engine, job_id)
    sentence = f"Job {job_id}: {count:,} pieces of open work dropped. What was analysed is kept."
    return Changed("cancelled", count, sentence)


CHANGES: Mapping[str, Change] = {"pause": _pause, "resume": _resume, "cancel": _cancel}
