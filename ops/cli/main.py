"""`tenor`: every command is a few lines over a function that a program can call."""

import sys
import time
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from ops.cli.output import FAILED, INTERRUPTED, OK, SOME_FAILED, err, out, print_json, rows_table, sentences

STARTED = time.monotonic()
app = typer.Typer(
    help="Who felt what, when? Analyse recorded conversations and ask in SQL.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)

Archive = Annotated[Path, typer.Argument(help="a folder of recordings, or one recording")]
JobId = Annotated[int, typer.Argument(help="the job's number, as `tenor status` lists it")]
Json = Annotated[bool, typer.Option("--json", help="one JSON document on stdout")]
ProfileName = Annotated[str | None, typer.Option("--profile", help="a bundled profile, or a path to a TOML file")]
Channels = Annotated[
    Literal["auto", "split", "mix"],
    typer.Option(help="split: each channel is a speaker; mix: one signal; auto: split two different channels"),
]
Language = Annotated[str, typer.Option(help="language of the transcripts (ISO 639-1)")]
AlignerName = Annotated[str, typer.Option("--aligner", help="pocketsphinx (English) or none")]
KeepText = Annotated[bool, typer.Option("--text/--no-text", help="keep what was said in the database")]
Priority = Annotated[int, typer.Option(help="jobs with a higher one go first")]

JOB_COLUMNS = {
    "job_id": "job",
    "state": "state",
    "profile": "profile",
    "files": "files",
    "done": "done",
    "failed": "failed",
    "open": "open",
    "reused": "reused",
    "utterances": "utterances",
    "elapsed_s": "seconds",
    "archive": "archive",
}
ERROR_COLUMNS = {"recording": "recording", "outcome": "outcome", "error_code": "error", "error": "what and why"}


def _options(channels: str, language: str, aligner: str, keep_text: bool, priority: int) -> Any:
    from workers.enqueue import JobOptions

    return JobOptions(
        channels=channels,  # type: ignore[arg-type]
        language=language,
        aligner=aligner,
        keep_text=keep_text,
        priority=priority,
    )


def _services() -> Any:
    """The services in use, without starting any; raises a sentence when there are none."""
    from ops.local import known
    from ops.local.errors import ServiceFailed

    services = known()
    if services is None:
        raise ServiceFailed("nothing has been started here yet", hint="Run `tenor up` or `tenor analyze FOLDER`.")
    return services


def _engine() -> Any:
    from db.engine import make_engine

    return make_engine(_services().database_url)


@app.command()
@sentences
def analyze(
    path: Archive,
    profile: ProfileName = None,
    channels: Channels = "auto",
    language: Language = "en",
    aligner: AlignerName = "pocketsphinx",
    keep_text: KeepText = True,
    priority: Priority = 0,
    strict: Annotated[bool, typer.Option("--strict", help="exit with 3 when any recording failed")] = False,
    json: Json = False,
) -> None:
    """Analyse a folder from start to end: services, workers, progress, summary."""
    from ops import analyze as analysis
    from ops import jobs

    try:
        result, services = analysis.analyze(
            path,
            profile=profile,
            options=_options(channels, language, aligner, keep_text, priority),
            console=err,
            started=STARTED,
        )
    except KeyboardInterrupt:
        err.print("Stopped watching; the work goes on. `tenor status` shows it, `tenor cancel JOB` ends it.")
        raise typer.Exit(INTERRUPTED) from None
    from db.engine import make_engine

    problems = jobs.errors(make_engine(services.database_url), result.job_id, limit=10)
    if json:
        print_json({**result.to_dict(), "errors": problems})
    else:
        _summary(result, services, problems)
    if result.state != "done" or (result.files and result.failed == result.files):
        raise typer.Exit(FAILED)
    if strict and result.failed:
        raise typer.Exit(SOME_FAILED)


def _summary(result: Any, services: Any, problems: list[dict[str, Any]]) -> None:
    out.print(
        f"[bold]job {result.job_id} {result.state}[/]: {result.done} of {result.files} recordings, "
        f"{result.utterances} utterances, {result.audio_s / 60:.1f} min of audio in {result.elapsed_s:.0f} s"
        + (f", {result.reused} reused" if result.reused else "")
        + (f"; first score after {result.first_score_s:.1f} s" if result.first_score_s is not None else "")
    )
    if problems:
        out.print(rows_table(problems, ERROR_COLUMNS))
        if result.failed + result.warnings > len(problems):
            out.print(f"… and more: tenor errors {result.job_id}")
    out.print("\nContinue with", style="bold")
    out.print(
        f'  tenor sql "select recording, speaker, start_s, label, text from job_emotions where job_id = {result.job_id}"',
        soft_wrap=True,
    )
    out.print(f'  psql "{_psql(services)}"', soft_wrap=True)
    out.print(
        f"  Flower: {services.flower_url}  (user {services.flower_user}, password: `tenor up --show-passwords`)",
        soft_wrap=True,
    )


def _psql(services: Any) -> str:
    from db.engine import place

    return f"postgresql://tenor_reader@{place(services.analyst_url)}"


@app.command()
@sentences
def enqueue(
    path: Archive,
    profile: ProfileName = None,
    channels: Channels = "auto",
    language: Language = "en",
    aligner: AlignerName = "pocketsphinx",
    keep_text: KeepText = True,
    priority: Priority = 0,
    watch: Annotated[bool, typer.Option("--watch", help="follow the job until it ends")] = False,
    json: Json = False,
) -> None:
    """Enqueue a folder and return its job's number at once."""
    from ml.profiles import load_profile
    from ops import analyze as analysis
    from ops import jobs

    services = _services()
    analysis.use(services)
    chosen = load_profile(profile or services.settings.profile)
    analysis.show_licences(chosen, services.settings.home, err)
    job_id = jobs.enqueue(_engine(), path, chosen, _options(channels, language, aligner, keep_text, priority))
    if watch:
        _watch(services, job_id, json)
    elif json:
        print_json({"job_id": job_id})
    else:
        out.print(job_id)


def _watch(services: Any, job_id: int, json: bool) -> None:
    from ops import analyze as analysis

    try:
        row, _ = analysis.watch(services, job_id, err)
    except KeyboardInterrupt:
        err.print(f"Stopped watching; the work goes on. `tenor cancel {job_id}` ends it.")
        raise typer.Exit(INTERRUPTED) from None
    if json:
        print_json(row)
    else:
        out.print(rows_table([row], JOB_COLUMNS))
    if row["state"] != "done":
        raise typer.Exit(FAILED)


@app.command()
@sentences
def status(
    job: Annotated[int | None, typer.Argument(help="a job's number; without it, the newest jobs")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="follow the job until it ends")] = False,
    json: Json = False,
) -> None:
    """Show jobs and what waits."""
    from ops import jobs

    if job is not None and watch:
        jobs.status(_engine(), job)
        _watch(_services(), job, json)
        return
    engine = _engine()
    rows = [jobs.status(engine, job)] if job is not None else jobs.recent(engine)
    waiting = jobs.backlog(engine)
    if json:
        print_json(rows[0] if job is not None else {"jobs": rows, "backlog": waiting})
        return
    if not rows:
        out.print("No job yet: tenor analyze FOLDER")
        return
    out.print(rows_table(rows, JOB_COLUMNS))
    if job is not None and rows[0]["error"]:
        out.print(rows[0]["error"], markup=False)
    if waiting:
        out.print()
        out.print(rows_table(waiting, {name: name for name in waiting[0]}))


@app.command()
@sentences
def errors(
    job: Annotated[int | None, typer.Argument(help="a job's number; without it, the newest job")] = None,
    traceback: Annotated[bool, typer.Option("--traceback", help="with the tracebacks of dead stages")] = False,
    json: Json = False,
) -> None:
    """List a job's recordings that failed, or were analysed without their transcript, and why."""
    from ops import jobs

    engine = _engine()
    if job is None:
        newest = jobs.recent(engine, 1)
        if not newest:
            out.print("No job yet: tenor analyze FOLDER")
            return
        job = int(newest[0]["job_id"])
    rows = jobs.errors(engine, job)
    dead = jobs.traceback(engine, job) if traceback else []
    if json:
        print_json({"job_id": job, "recordings": rows, "stages": dead})
        return
    if rows:
        out.print(rows_table(rows, ERROR_COLUMNS))
    else:
        out.print(f"job {job}: no errors")
    for stage in dead:
        out.print(f"\nstage {stage['stage_id']} ({stage['stage']}), {stage['error_code']}", style="bold")
        out.print(stage["traceback"] or "", markup=False)


@app.command()
@sentences
def retry(job: JobId, json: Json = False) -> None:
    """Put a job's given-up work back to work (corrupt recordings stay failed: replace them and enqueue again)."""
    from ops import analyze as analysis
    from ops import jobs

    analysis.use(_services())
    count = jobs.retry(_engine(), job)
    if json:
        print_json({"job_id": job, "units": count})
    else:
        out.print(f"{count} units are back to work" if count else "nothing to retry: no unit of this job was given up")


@app.command()
@sentences
def cancel(job: JobId, json: Json = False) -> None:
    """End a job; what is scored stays, and work that another job shares goes on."""
    from ops import jobs

    count = jobs.cancel(_engine(), job)
    if json:
        print_json({"job_id": job, "recordings": count})
    else:
        out.print(f"job {job} cancelled, {count} recordings given up")


@app.command()
@sentences
def sql(
    query: Annotated[str, typer.Argument(help="one SELECT statement, or - to read it from standard input")],
    format: Annotated[Literal["table", "csv", "json"], typer.Option("--format", "-f", help="of the result")] = "table",
    json: Annotated[bool, typer.Option("--json", help="short for --format json")] = False,
) -> None:
    """Ask Postgres, read-only."""
    from ops.query import run_sql, write

    text = sys.stdin.read() if query == "-" else query
    with run_sql(_services().analyst_url, text) as (columns, rows):
        write(columns, rows, "json" if json else format, sys.stdout, out)
        sys.stdout.flush()


@app.command()
@sentences
def up(
    show_passwords: Annotated[bool, typer.Option("--show-passwords", help="print generated passwords")] = False,
    json: Json = False,
) -> None:
    """Start Postgres, Redis, workers, beat and Flower, as far as they do not run."""
    from ops.local import up as start

    services = start(progress=lambda line: err.print(line, style="dim"))
    facts = {
        "flower": services.flower_url,
        "flower_user": services.flower_user,
        "postgres": _psql(services),
        "home": str(services.settings.home),
    }
    if show_passwords:
        facts |= {
            "flower_password": services.flower_password,
            "analyst_url": services.analyst_url.replace("+psycopg2", ""),
        }
    if json:
        print_json(facts)
        return
    for name, value in facts.items():
        out.print(f"{name:16} {value}", markup=False, soft_wrap=True)


@app.command()
@sentences
def down(json: Json = False) -> None:
    """Stop what `tenor up` started; data stays."""
    from ops.local import down as stop

    stopped = stop(progress=lambda line: err.print(line, style="dim"))
    if json:
        print_json({"stopped": stopped})
    else:
        out.print(f"stopped: {', '.join(stopped)}" if stopped else "nothing was running")


@app.command()
@sentences
def doctor(json: Json = False) -> None:
    """Look at everything and say what is wrong."""
    from ops.local import doctor as look

    checks = look()
    good = all(check.ok for check in checks)
    if json:
        print_json(
            {"ok": good, "checks": [{f: getattr(c, f) for f in ("name", "ok", "detail", "hint")} for c in checks]}
        )
    else:
        for check in checks:
            mark = "[green]ok[/]  " if check.ok else "[red]bad[/] "
            detail = check.detail.replace("[", "\\[")
            out.print(f"{mark} {check.name:10} {detail}" + ("" if check.ok else f"  → {check.hint}"), soft_wrap=True)
    raise typer.Exit(OK if good else FAILED)


@app.command()
def version() -> None:
    """Print the version."""
    from importlib.metadata import version as installed

    out.print(installed("tenor"))


def main() -> None:
    """Entry point of the command `tenor`."""
    app()


if __name__ == "__main__":
    main()
