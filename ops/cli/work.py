"""Commands that give work to the workers: analyze, enqueue."""

from dataclasses import asdict
from typing import Any

from db.engine import make_engine, reading
from ops import access, jobs, troubles
from ops.analyze import AnalysisResult, NothingAnalysed, require_success
from ops.analyze import analyze as run_analysis
from ops.cli import tables
from ops.cli.licences import announce
from ops.cli.session import Session
from ops.cli.text import visible
from ops.follow import follow
from ops.interrupted import NOTHING, leaving
from ops.progress import display
from workers.settings import load_settings


def analyze(session: Session, path: str, profile: str | None, given: dict[str, Any]) -> int:
    """Analyse and print the summary; returns how many recordings failed."""
    settings = load_settings()
    try:
        result = run_analysis(path, settings, profile, session.err, options=given)
    except NothingAnalysed as exc:
        if not session.json_output:
            tables.job_errors(_errors(exc.job_id), session)
        raise
    found = _errors(result.job_id) if result.failed or result.warnings or result.manifest_problems else None
    if session.json_output:
        session.document(_shown(result) | {"errors": asdict(found) if found else None})
        return result.failed
    tables.summary(result, session)
    if found is not None and result.failed:
        session.print("")
        tables.job_errors(found, session)
    session.print("")
    tables.how_to_go_on(result, session)
    return result.failed


def _shown(result: AnalysisResult) -> dict[str, object]:
    """The result as JSON prints it; a password from somebody's settings is not repeated."""
    document = asdict(result)
    if not result.embedded:
        document["analyst_url"] = None
    return document


def _errors(job_id: int) -> troubles.JobErrors:
    engine = make_engine(access.look(load_settings()).database_url)
    with reading(engine) as conn:
        return troubles.errors(conn, job_id, tables.FIRST_ERRORS)


def enqueue(session: Session, path: str, profile: str | None, given: dict[str, Any], *, watch: bool) -> None:
    """Make a job; follow it when asked to."""
    settings = load_settings()
    jobs.require_archive(path)
    with leaving(NOTHING):
        from ml.profiles import load_profile

        chosen = load_profile(profile or settings.profile, trained=settings.models)
        announce(chosen, settings.home, session.err)
    reached = access.reach(settings, session.say)
    from workers.jobs.enqueue import JobOptions

    engine = make_engine(reached.database_url)
    job_id = jobs.enqueue(engine, path, chosen, JobOptions(**given))
    if not watch:
        if session.json_output:
            session.document({"job_id": job_id})
        else:
            session.print(str(job_id))
        return
    session.say(f"Job {job_id}: {visible(path)}")
    with display(session.err) as show:
        status = follow(
            engine, job_id, show, broker_answers=reached.broker_answers, workers_run=reached.workers_run
        ).status
    require_success(status)
    if session.json_output:
        session.document(status)
    else:
        tables.job(status, [], session)
