"""Commands that only read: status, errors, export, report, sql."""

import shutil
import sys
from dataclasses import asdict
from pathlib import Path

import psycopg2.extensions

from db.engine import make_engine, reading
from ops import access, jobs, troubles
from ops.cli import tables
from ops.cli.formats import write_csv, write_json, write_table
from ops.cli.session import Session
from ops.cli.text import visible
from ops.exporting import ExportFailed, Form, form_of
from ops.exporting import export as write_export
from ops.flower.words import tasks_url
from ops.follow import follow
from ops.progress import display
from ops.query import QueryFailed, run_sql, stop_on_interrupt
from workers.settings import load_settings


def status(session: Session, job_id: int | None, *, watch: bool, limit: int) -> None:
    """One job, or the newest ones."""
    reached = access.look(load_settings())
    engine = make_engine(reached.database_url)
    with reading(engine) as conn:
        if job_id is None and not watch:
            found = jobs.recent(conn, limit)
            if session.json_output:
                session.document(found)
            else:
                tables.job_list(found, session)
            return
        job_id = jobs.latest(conn) if job_id is None else job_id
        one = jobs.status(conn, job_id)
    if watch and not one.ended:
        with display(session.err) as show:
            one = follow(
                engine, job_id, show, broker_answers=reached.broker_answers, workers_run=reached.workers_run
            ).status
    with reading(engine) as conn:
        left, held = jobs.backlog(conn, job_id), jobs.running(conn, job_id)
    flower = tasks_url(reached.flower_url, job=job_id) if reached.flower_url else None
    if session.json_output:
        more = {"stages": [asdict(item) for item in left], "running": [asdict(item) for item in held], "flower": flower}
        session.document(asdict(one) | more)
    else:
        tables.job(one, left, session, held, flower)


def errors(session: Session, job_id: int | None, limit: int | None) -> None:
    """What failed in a job, the newest by default."""
    engine = make_engine(access.look(load_settings()).database_url)
    with reading(engine) as conn:
        found = troubles.errors(conn, jobs.latest(conn) if job_id is None else job_id, limit)
    if session.json_output:
        session.document(found)
    elif found.failed or found.warned or found.dead_stages or found.manifest_problems or found.error:
        tables.job_errors(found, session)
    else:
        session.say(f"Nothing failed in job {found.job_id}.")


def all_errors(session: Session) -> None:
    """What was given up and what failed, over all jobs."""
    with reading(make_engine(access.look(load_settings()).database_url)) as conn:
        found = troubles.given_up(conn)
    if session.json_output:
        session.document(found)
    elif found:
        tables.given_up(found, session)
    else:
        session.say("Nothing was given up, nothing failed.")


def sql(session: Session, query: str, form: str) -> None:
    """Print the rows of one statement while they arrive."""
    psycopg2.extensions.set_wait_callback(stop_on_interrupt)
    url = access.look(load_settings()).analyst_url
    with run_sql(url, _standard_input() if query == "-" else query) as result:
        if form == "csv":
            write_csv(result, session.stdout)
        elif form == "json":
            write_json(result, session.stdout)
        else:
            width = shutil.get_terminal_size().columns if session.out.is_terminal else None
            write_table(result, session.stdout, width=width)


def export(session: Session, job_id: int, form: Form | None, out: Path | None) -> None:
    """Write a job's utterances into a file; on standard output nothing else is said there."""
    form = form or form_of(out)
    url = access.look(load_settings()).database_url
    with reading(make_engine(url)) as conn:
        jobs.status(conn, job_id)
    to_file = out is None or str(out) != "-"
    if not to_file and form == "parquet":
        raise ExportFailed("Parquet goes into a file", hint="Name one with --out, or take --format csv or jsonl.")
    place = (out or Path(f"job-{job_id}.{form}")).expanduser().absolute() if to_file else None
    count = write_export(url, job_id, form, place)
    if session.json_output and place is not None:
        session.document({"job_id": job_id, "rows": count, "place": place})
    elif place is not None:
        session.print(f"{visible(str(place))}: {count:,} utterances")


def report(session: Session, recording: str, job_id: int | None, out: Path | None) -> None:
    """Write a recording's page; on standard output nothing else is said there."""
    from ops.report.making import report as write_report

    settings = load_settings()
    made = write_report(make_engine(access.look(settings).database_url), settings, recording, job=job_id, out=out)
    if session.json_output:
        session.document(made)
    elif made.place is not None:
        session.print(f"{visible(str(made.place))}: {visible(made.recording)}, {made.utterances:,} utterances")
    if made.silent:
        session.say(f"Warning: it has no waveform: {visible(made.silent)}.")


def _standard_input() -> str:
    """All of it, as text; one that is closed holds no query."""
    try:
        return sys.stdin.read() if sys.stdin is not None else ""
    except UnicodeDecodeError as exc:
        raise QueryFailed("what standard input holds is no text in UTF-8") from exc
