"""Commands that only read: what can be typed."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from ops.cli import completing
from ops.cli.options import AnyJob, Job, Json, Watch

commands = typer.Typer()


@commands.command()
def status(
    job: AnyJob = None,
    watch: Watch = False,
    limit: Annotated[int, typer.Option(min=1, help="Without JOB: so many of the newest jobs.")] = 10,
    json: Json = False,
) -> None:
    """Show how far a job is, or the newest jobs."""
    from ops.cli.session import session

    with session(json) as current:
        from ops.cli.reading import status as run

        run(current, job, watch=watch, limit=limit)


@commands.command()
def errors(
    job: AnyJob = None,
    limit: Annotated[int, typer.Option(min=0, help="So many at most; 0: all.")] = 100,
    everything: Annotated[bool, typer.Option("--all", help="Of all jobs, by kind: what is dead, what failed.")] = False,
    json: Json = False,
) -> None:
    """List the recordings of a job (the newest one) that failed and why, and work that was given up."""
    from ops.cli.session import session

    if everything and job is not None:
        raise typer.BadParameter("give a job's number or --all")
    with session(json) as current:
        from ops.cli.reading import all_errors
        from ops.cli.reading import errors as run

        if everything:
            all_errors(current)
        else:
            run(current, job, limit or None)


@commands.command()
def export(
    job: Job,
    format: Annotated[
        Literal["parquet", "csv", "jsonl"] | None,
        typer.Option("--format", "-f", help="Of the file.", show_default="what --out ends with, else parquet"),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The file; - is standard output.", show_default="job-JOB.FORMAT")
    ] = None,
    json: Json = False,
) -> None:
    """Write the utterances of a job into a file, as `job_emotions` shows them, however many there are."""
    from ops.cli.session import session

    with session(json) as current:
        from ops.cli.reading import export as run

        run(current, job, format, out)


@commands.command()
def report(
    recording: Annotated[
        str,
        typer.Argument(
            metavar="RECORDING",
            help="A path in an archive or the end of one, a file, or an id, as the views show it.",
            autocompletion=completing.recordings,
        ),
    ],
    job: Annotated[
        int | None,
        typer.Option(
            min=1, help="Show what this job found.", show_default="as the views", autocompletion=completing.jobs
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The file; - is standard output.", show_default="RECORDING.report.html")
    ] = None,
    json: Json = False,
) -> None:
    """Write one recording as an HTML page: waveform, utterances, emotion over time; it needs no network to be read."""
    if json and str(out) == "-":
        raise typer.BadParameter("the page and --json cannot both be printed; name a file with --out")
    from ops.cli.session import session

    with session(json) as current:
        from ops.cli.reading import report as run

        run(current, recording, job, out)


# Unknown options become the query, which may begin with a comment.
@commands.command(context_settings={"ignore_unknown_options": True})
def sql(
    query: Annotated[str, typer.Argument(metavar="QUERY|-", help="One SQL statement; - reads it from stdin.")],
    format: Annotated[
        Literal["table", "csv", "json"], typer.Option("--format", "-f", help="How to print rows.")
    ] = "table",
    json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """Ask the database, read-only; rows are printed while they arrive, however many there are."""
    from ops.cli.session import session

    form = "json" if json else format
    with session(form == "json") as current:
        from ops.cli.reading import sql as run

        run(current, query, form)
