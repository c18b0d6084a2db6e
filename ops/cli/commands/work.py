"""Commands that give work to the workers, hold it or take it back: what can be typed."""

from typing import Annotated

import typer

from ops.cli.options import (
    Aligner,
    AnyJob,
    Archive,
    ChannelsOption,
    Job,
    Json,
    KeepText,
    Language,
    Priority,
    Profile,
    Speakers,
    Watch,
    chosen,
)
from ops.interrupted import NOTHING, leaving

commands = typer.Typer()


@commands.command()
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
        with leaving(NOTHING):
            from ops.cli.work import analyze as run

        options = chosen(channels=channels, language=language, aligner=aligner, speakers=speakers, keep_text=keep_text)
        failed = run(current, path, profile, options)
        if strict and failed:
            raise typer.Exit(SOME_FAILED)


@commands.command()
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
        with leaving(NOTHING):
            from ops.cli.work import enqueue as run

        options = chosen(
            channels=channels,
            language=language,
            aligner=aligner,
            speakers=speakers,
            keep_text=keep_text,
            priority=priority,
        )
        run(current, path, profile, options, watch=watch)


@commands.command()
def pause(job: Job, json: Json = False) -> None:
    """Hold a job: what runs is finished, nothing more of it is begun. Other jobs go on."""
    _change("pause", job, json)


@commands.command()
def resume(job: Job, json: Json = False) -> None:
    """Go on with a paused job where it stopped."""
    _change("resume", job, json)


@commands.command()
def retry(
    job: AnyJob = None,
    everything: Annotated[bool, typer.Option("--all", help="Of all jobs.")] = False,
    code: Annotated[
        str | None, typer.Option(help="Only what failed with this error, as `tenor errors` has it.")
    ] = None,
    json: Json = False,
) -> None:
    """Give work that was given up another chance, once its cause is gone."""
    from ops.cli.session import session

    if (job is None) != everything:
        raise typer.BadParameter("give a job's number or --all")
    with session(json) as current:
        from ops.cli.changes import change, retry_all, retrying

        if job is None:
            retry_all(current, code)
        else:
            change(current, job, retrying(code))


@commands.command()
def cancel(job: Job, json: Json = False) -> None:
    """Stop a job; what is analysed stays, and work that another job needs goes on."""
    _change("cancel", job, json)


def _change(name: str, job: int, json: bool) -> None:
    from ops.cli.session import session

    with session(json) as current:
        from ops.cli.changes import CHANGES, change

        change(current, job, CHANGES[name])
