"""The `tenor` command: what can be typed. The work is in functions elsewhere that a program can call.

Nothing heavy is imported here, so that `tenor --help` is instant; command bodies import what they need.
"""

from pathlib import Path
from typing import Annotated, Literal

import typer

from ops.cli.train import evaluate, train

app = typer.Typer(
    name="tenor",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"tenor {version('tenor')}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print Tenor's version."),
    ] = False,
) -> None:
    """Emotion in recorded conversations, in SQL."""


Archive = Annotated[
    Path, typer.Argument(metavar="PATH", help="Folder, zip or tar file of recordings, or one recording.")
]
Job = Annotated[int, typer.Argument(metavar="JOB", min=1, help="A job's number.")]
AnyJob = Annotated[int | None, typer.Argument(metavar="[JOB]", min=1, help="A job's number.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")]
Watch = Annotated[bool, typer.Option("--watch", "-w", help="Follow until it ended; Ctrl-C leaves it running.")]
Profile = Annotated[
    str | None,
    typer.Option(help="Models to use: a bundled profile's name or a TOML file.", show_default="mini"),
]
ChannelsOption = Annotated[
    Literal["auto", "split", "mix"] | None,
    typer.Option(help="split: each channel is a speaker; mix: one channel; auto: look.", show_default="auto"),
]
Language = Annotated[
    str | None,
    typer.Option(help="Language of the recordings, e.g. en; auto: found from the transcript.", show_default="auto"),
]
Aligner = Annotated[
    str | None,
    typer.Option(
        help="What finds the words of transcripts: pocketsphinx (English), ctc:CHECKPOINT (a Wav2Vec2ForCTC, any"
        " language) or none.",
        show_default="pocketsphinx",
    ),
]
Speakers = Annotated[
    int | None,
    typer.Option(min=1, help="Voices in a recording that names none and has one channel.", show_default="estimated"),
]
KeepText = Annotated[
    bool | None, typer.Option("--keep-text/--no-keep-text", help="Store transcripts.", show_default="keep")
]
Priority = Annotated[int | None, typer.Option(help="Jobs with a higher number go first.", show_default="0")]


@app.command()
def analyze(
    path: Archive,
    profile: Profile = None,
    channels: ChannelsOption = None,
    language: Language = None,
    aligner: Aligner = None,
    speakers: Speakers = None,
    keep_text: KeepText = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 3 when some recordings failed.")] = False,
    json: Json = False,
) -> None:
    """Analyse an archive of recordings on this machine: services, workers, progress, summary.

    Services and workers stay up until `tenor down`. Running it again analyses only what is new.
    """
    from ops.cli.session import SOME_FAILED, session

    with session(json) as current:
        from ops.cli.work import analyze as run

        given = _options(channels=channels, language=language, aligner=aligner, speakers=speakers, keep_text=keep_text)
        failed = run(current, path, profile, given)
        if strict and failed:
            raise typer.Exit(SOME_FAILED)


@app.command()
def enqueue(
    path: Archive,
    profile: Profile = None,
    channels: ChannelsOption = None,
    language: Language = None,
    aligner: Aligner = None,
    speakers: Speakers = None,
    keep_text: KeepText = None,
    priority: Priority = None,
    watch: Watch = False,
    json: Json = False,
) -> None:
    """Give an archive of recordings to the workers; prints the job's number at once."""
    from ops.cli.session import session

    with session(json) as current:
        from ops.cli.work import enqueue as run

        given = _options(
            channels=channels,
            language=language,
            aligner=aligner,
            speakers=speakers,
            keep_text=keep_text,
            priority=priority,
        )
        run(current, path, profile, given, watch=watch)


@app.command()
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


@app.command()
def errors(
    job: AnyJob = None,
    limit: Annotated[int, typer.Option(min=0, help="So many at most; 0: all.")] = 100,
    json: Json = False,
) -> None:
    """List the recordings of a job (the newest one) that failed and why, and work that was given up."""
    from ops.cli.session import session

    with session(json) as current:
        from ops.cli.reading import errors as run

        run(current, job, limit or None)


@app.command()
def pause(job: Job, json: Json = False) -> None:
    """Hold a job: what runs is finished, nothing more of it is begun. Other jobs go on."""
    from ops.cli.session import session

    with session(json) as current:
        from ops.cli.work import pause as run

        run(current, job)


@app.command()
def resume(job: Job, json: Json = False) -> None:
    """Go on with a paused job where it stopped."""
    from ops.cli.session import session

    with session(json) as current:
        from ops.cli.work import resume as run

        run(current, job)


@app.command()
def retry(job: Job, json: Json = False) -> None:
    """Give work that was given up another chance, once its cause is gone."""
    from ops.cli.session import session

    with session(json) as current:
        from ops.cli.work import retry as run

        run(current, job)


@app.command()
def cancel(job: Job, json: Json = False) -> None:
    """Stop a job; what is analysed stays, and work that another job needs goes on."""
    from ops.cli.session import session

    with session(json) as current:
        from ops.cli.work import cancel as run

        run(current, job)


# Unknown options become the query, which may begin with a comment.
@app.command(context_settings={"ignore_unknown_options": True})
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


@app.command()
def align(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="One recording.")],
    transcript: Annotated[
        Path | None, typer.Option(help="What is said in it.", show_default="found beside the recording")
    ] = None,
    language: Annotated[
        str | None, typer.Option(help="Language of the recording, e.g. en.", show_default="auto")
    ] = None,
    channels: ChannelsOption = None,
    aligner: Aligner = None,
    speakers: Annotated[
        int | None, typer.Option(min=1, help="How many voices there are.", show_default="estimated")
    ] = None,
    transcriber: Annotated[
        str | None,
        typer.Option(
            metavar="CHECKPOINT",
            help="Whisper or wav2vec 2.0 CTC folder or Hub id, for a recording without a transcript.",
            show_default="none",
        ),
    ] = None,
    textgrid: Annotated[bool, typer.Option("--textgrid", help="Print a Praat TextGrid and nothing else.")] = False,
    ctm: Annotated[bool, typer.Option("--ctm", help="Print CTM (words) and nothing else.")] = False,
    srt: Annotated[bool, typer.Option("--srt", help="Print SRT subtitles and nothing else.")] = False,
    rttm: Annotated[bool, typer.Option("--rttm", help="Print RTTM (speakers) and nothing else.")] = False,
    json: Json = False,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Draw it over waveform and spectrogram.", show_default=False)
    ] = None,
    start: Annotated[
        float, typer.Option("--from", min=0.0, metavar="SECONDS", help="Where tables and picture begin.")
    ] = 0.0,
    end: Annotated[
        float | None,
        typer.Option("--to", metavar="SECONDS", help="Where tables and picture end.", show_default="the end"),
    ] = None,
) -> None:
    """Align one recording here and now, without services, and show its speakers, utterances and words."""
    formats = {"--textgrid": textgrid, "--ctm": ctm, "--srt": srt, "--rttm": rttm, "--json": json}
    forms = [name for name, wanted in formats.items() if wanted]
    if len(forms) > 1:
        raise typer.BadParameter(f"{forms[0]} and {forms[1]} cannot both be printed; choose one")
    if end is not None and end <= start:
        raise typer.BadParameter("--to has to be later than --from")
    from ops.cli.session import session

    with session(json) as current:
        from ops.cli.alignment import align as run

        given = _options(
            channels=channels, language=language, aligner=aligner, speakers=speakers, transcriber=transcriber
        )
        run(current, file, transcript, given, form=forms[0] if forms else None, plot=plot, window=(start, end))


@app.command()
def up(json: Json = False) -> None:
    """Start Postgres, Redis, workers and Flower on this machine, or those of them that are not running."""
    from ops.cli.session import session

    with session(json) as current:
        from ops.cli.services import up as run

        run(current)


@app.command()
def down(json: Json = False) -> None:
    """Stop what `tenor up` and `tenor analyze` started; open work continues at the next start."""
    from ops.cli.session import session

    with session(json) as current:
        from ops.cli.services import down as run

        run(current)


@app.command()
def doctor(json: Json = False) -> None:
    """Check this installation and its services, and say what to do about what is wrong."""
    from ops.cli.session import session

    with session(json) as current:
        from ops.cli.services import doctor as run

        if not run(current):
            raise typer.Exit(1)


@app.command()
def version(json: Json = False) -> None:
    """Print the versions of Tenor and of what it computes with."""
    from ops.cli.session import session

    with session(json) as current:
        from ops.cli.services import version as run

        run(current)


app.command()(train)
app.command()(evaluate)


def _options(**given: str | int | bool | None) -> dict[str, object]:
    """Options that were typed; the others keep the defaults of `JobOptions`."""
    return {name: value for name, value in given.items() if value is not None}
