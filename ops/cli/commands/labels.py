"""`tenor labels …`: what can be typed about labels of one's own. Nothing heavy is imported here."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from ops.cli.options import Json

commands = typer.Typer(
    help="Labels of one's own: into the database, how far people agree, what to label next.", no_args_is_help=True
)


@commands.command("import")
def import_labels(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="CSV, TSV, JSON lines, a JSON export of Label Studio, or a TextGrid or folder of them.",
        ),
    ],
    annotator: Annotated[str | None, typer.Option(help="Who judged, where the file does not say.")] = None,
    job: Annotated[int | None, typer.Option(min=1, help="Paths and utterance numbers are those of this job.")] = None,
    archive: Annotated[str | None, typer.Option(help="Paths are those of this archive.")] = None,
    tier: Annotated[
        str | None, typer.Option(help="The tier of TextGrids that holds labels.", show_default="emotion")
    ] = None,
    scale: Annotated[
        str | None, typer.Option(help="Lowest and highest point of arousal and valence.", show_default="1-5")
    ] = None,
    map: Annotated[
        list[str] | None, typer.Option("--map", help="What a word means: WORD=CLASS or WORD=none; may be repeated.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Find out what would happen; nothing is written.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 3 when some labels were refused.")] = False,
    json: Json = False,
) -> None:
    """Load labels into the database, onto recordings that were enqueued, and measure how far their annotators agree.

    Lines that cannot be followed are named, the others go in; where there are no others, that is an error. Importing
    again changes nothing; a corrected label replaces what the same annotator said before.
    """
    from ops.cli.session import SOME_FAILED, session

    if job is not None and archive is not None:
        raise typer.BadParameter("give either --job or --archive")
    with session(json) as current:
        from ops.cli.labelling import Source
        from ops.cli.labelling import import_labels as run

        source = Source(file, annotator=annotator, tier=tier, scale=scale, maps=tuple(map or ()))
        refused = run(current, source, job=job, archive=archive, dry_run=dry_run)
        if strict and refused:
            raise typer.Exit(SOME_FAILED)


@commands.command("list")
def list_batches(json: Json = False) -> None:
    """List the imports, newest first, with Krippendorff's alpha of their annotators."""
    from ops.cli.session import session

    with session(json) as current:
        from ops.cli.labelling import list_batches as run

        run(current)


@commands.command("show")
def show_batch(
    batch: Annotated[
        int, typer.Argument(metavar="BATCH", min=1, help="The import, by its number in `tenor labels list`.")
    ],
    disputed: Annotated[int, typer.Option(min=0, help="How many of the most disputed stretches to show.")] = 10,
    json: Json = False,
) -> None:
    """Show one import: who takes which emotion for which, and what is disputed most."""
    from ops.cli.session import session

    with session(json) as current:
        from ops.cli.labelling import show_batch as run

        run(current, batch, disputed=disputed)


@commands.command("sample")
def sample(
    job: Annotated[int | None, typer.Option(min=1, help="The job to choose from.", show_default="the newest")] = None,
    count: Annotated[int, typer.Option("-n", "--count", min=1, help="How many utterances.")] = 200,
    out: Annotated[Path | None, typer.Option(help="Folder for tasks and clips.", show_default="labels-job-JOB")] = None,
    strategy: Annotated[
        Literal["uncertain-diverse", "random"],
        typer.Option(help="uncertain-diverse: to learn most from; random: to measure with."),
    ] = "uncertain-diverse",
    seed: Annotated[int, typer.Option(help="Another one proposes others where there is a choice.")] = 0,
    with_text: Annotated[bool, typer.Option("--with-text", help="Show annotators what was said.")] = False,
    predictions: Annotated[
        bool, typer.Option("--predictions/--no-predictions", help="Bring along what the models think.")
    ] = True,
    json: Json = False,
) -> None:
    """Propose utterances to be labelled next, as tasks for Label Studio with a clip of each.

    They are ones that the models are unsure of, unlike each other, from all speakers and classes, and not labelled yet.
    """
    from ops.cli.session import session

    with session(json) as current:
        from ops.cli.labelling import sample as run

        run(
            current,
            job,
            out,
            count=count,
            strategy=strategy,
            seed=seed,
            with_text=with_text,
            predictions=predictions,
        )
