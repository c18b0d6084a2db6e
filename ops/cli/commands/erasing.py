"""The command that takes recordings and people out again: what can be typed."""

from typing import Annotated

import typer

from ops.cli.options import Json

commands = typer.Typer()


@commands.command()
def erase(
    recordings: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="RECORDING",
            help="A recording's path or number (`recording_id`), or a folder, zip or tar file: all that came from it.",
            show_default=False,
        ),
    ] = None,
    speaker: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="A person, as transcripts or manifests name them, in all recordings."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go, and change nothing.")] = False,
    list_all: Annotated[bool, typer.Option("--list", help="List what was erased: numbers, no names.")] = False,
    allow: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Let what erasure N took be analysed when it is enqueued again; brings nothing back.",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Erase recordings or a person from the database and from Tenor's files; never touches the archive itself.

    Shows what would go and asks. What was erased is not analysed again. A call that was killed goes on with the next.
    """
    from ops.cli.session import session

    wishes = [bool(recordings), speaker is not None, list_all, allow is not None]
    if sum(wishes) > 1:
        raise typer.BadParameter("give recordings, --speaker, --list or --allow, one of them")
    with session(json) as current:
        from ops.cli import erasing

        if list_all:
            erasing.show(current)
        elif allow is not None:
            erasing.allow(current, allow)
        elif not (recordings or speaker):
            erasing.resume(current)
        else:
            erasing.erase(current, recordings or [], speaker, yes=yes, dry_run=dry_run)
