"""`tenor retrain`, `tenor models …` and `tenor rescore`: what can be typed."""

from typing import Annotated

import typer

from ops.cli import completing
from ops.cli.options import Json

commands = typer.Typer()
models = typer.Typer(help="Versions of profiles: which there are, how they came about, which one jobs pin.",
                     no_args_is_help=True)  # fmt: skip

Profile = Annotated[str | None, typer.Option(help="The profile.", show_default="TENOR_PROFILE")]
Run = Annotated[int, typer.Argument(metavar="RUN", help="A run's number.", autocompletion=completing.runs)]


@commands.command()
def retrain(
    profile: Profile = None,
    method: Annotated[
        str | None,
        typer.Option(help="How to adapt, as `--methods` names it; several with +.", show_default="finetune"),
    ] = None,
    side: Annotated[
        str | None,
        typer.Option(help="Which model: speech, text or both.", show_default="both where texts have labels"),
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Of training: head_steps, batch, seed, text.steps, …"),
    ] = None,
    now: Annotated[bool, typer.Option("--now", help="Also when no label is new.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Follow the run to its decision.")] = False,
    every: Annotated[
        str | None, typer.Option(metavar="TIME", help="Schedule: 90s, 30m, 12h, 7d apart, where labels are new.")
    ] = None,
    min_labels: Annotated[int | None, typer.Option(min=1, help="Schedule: whenever so many labels are new.")] = None,
    drift: Annotated[
        float | None, typer.Option(min=0.01, help="Schedule: when the stability index exceeds it and labels are new.")
    ] = None,
    off: Annotated[bool, typer.Option("--off", help="End the profile's schedule.")] = False,
    corpus: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=PATH", help="Keep a labelled corpus that no later version may do worse on."),
    ] = None,
    by_hand: Annotated[bool, typer.Option("--by-hand", help="Leave promotion to `tenor models promote`.")] = False,
    trust_labels: Annotated[
        bool, typer.Option("--trust-labels", help="Train on labels that contradict themselves, too.")
    ] = False,
    unlabelled: Annotated[
        int | None,
        typer.Option(
            min=0, metavar="N", help="Utterances without labels, for methods that hear them.", show_default="400"
        ),
    ] = None,
    methods: Annotated[bool, typer.Option("--methods", help="List the methods, and when each one fits.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what a run would work with.")] = False,
    cancel: Annotated[int | None, typer.Option(metavar="RUN", help="End an open run.")] = None,
    json: Json = False,
) -> None:
    """Learn from new labels; a better version becomes champion if it passes the gate. Or say when that is to happen."""
    given = dict(locals())
    from ops.cli.session import session

    with session(json) as current:
        from ops.cli.retraining import Wishes
        from ops.cli.retraining import retrain as run

        del given["json"]
        run(current, Wishes(**given))


@commands.command()
def rescore(
    job: Annotated[
        int,
        typer.Argument(
            metavar="JOB", help="The job whose recordings are to be scored again.", autocompletion=completing.jobs
        ),
    ],
    version: Annotated[
        int | None,
        typer.Option(help="Of the job's profile.", show_default="the champion", autocompletion=completing.versions),
    ] = None,
    json: Json = False,
) -> None:
    """Score a finished job's recordings by another version of its profile; alignments are used as they are."""
    from ops.cli.session import session

    with session(json) as current:
        from ops.cli.models import rescore as run

        run(current, job, version)


@models.command("list")
def list_models(profile: Profile = None, json: Json = False) -> None:
    """List versions, with the champion marked."""
    from ops.cli.session import session

    with session(json) as current:
        from ops.cli.models import list_models as run

        run(current, profile)


@models.command()
def show(
    profile: Annotated[str, typer.Argument(help="The profile.", autocompletion=completing.profiles)],
    version: Annotated[
        int | None, typer.Option(help="Its version.", show_default="the champion", autocompletion=completing.versions)
    ] = None,
    json: Json = False,
) -> None:
    """Show one version: its models, when it was champion and why, its drift."""
    from ops.cli.session import session

    with session(json) as current:
        from ops.cli.models import show as run

        run(current, profile, version)


@models.command()
def runs(
    run: Annotated[
        int | None, typer.Argument(metavar="RUN", help="One run, with its report.", autocompletion=completing.runs)
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="So many, newest first.")] = 20,
    cancel: Annotated[int | None, typer.Option(metavar="RUN", help="End an open run.")] = None,
    json: Json = False,
) -> None:
    """List retraining runs, or show one: where it is, what was decided, and what that rests on."""
    from ops.cli.session import session

    with session(json) as current:
        from ops.cli import retraining

        if cancel is not None:
            retraining.cancel(current, cancel)
        elif run is not None:
            retraining.show_run(current, run)
        else:
            retraining.list_runs(current, limit)


@models.command()
def compare(
    profile: Annotated[str, typer.Argument(help="The profile.", autocompletion=completing.profiles)],
    first: Annotated[int, typer.Argument(help="A version.", autocompletion=completing.versions)],
    second: Annotated[int, typer.Argument(help="Another.", autocompletion=completing.versions)],
    json: Json = False,
) -> None:
    """Compare two versions on the labelled utterances that both have scored."""
    from ops.cli.session import session

    with session(json) as current:
        from ops.cli.models import compare as run

        run(current, profile, first, second)


@models.command()
def promote(
    run: Run,
    override: Annotated[
        str | None, typer.Option(metavar="REASON", help="Although the gate refused; the reason is kept.")
    ] = None,
    json: Json = False,
) -> None:
    """Make the model of a run champion: of one that passed the gate, or of another for a reason."""
    from ops.cli.session import session

    with session(json) as current:
        from ops.cli.models import promote as by_hand

        by_hand(current, run, override)


@models.command()
def rollback(
    profile: Annotated[str, typer.Argument(help="The profile.", autocompletion=completing.profiles)],
    to: Annotated[
        int | None,
        typer.Option(
            metavar="VERSION", help="Which.", show_default="the champion before", autocompletion=completing.versions
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Make the champion before the present one champion again, for jobs from now on."""
    from ops.cli.session import session

    with session(json) as current:
        from ops.cli.models import rollback as run

        run(current, profile, to)
