"""Commands about this installation: what can be typed."""

from typing import Annotated

import typer

from ops.cli.options import Json

commands = typer.Typer()


@commands.command()
def up(json: Json = False) -> None:
    """Start Postgres, Redis, workers and Flower on this machine, or those of them that are not running."""
    from ops.cli.session import session

    with session(json) as current:
        from ops.cli.services import up as run

        run(current)


@commands.command()
def down(json: Json = False) -> None:
    """Stop what `tenor up` and `tenor analyze` started; open work continues at the next start."""
    from ops.cli.session import session

    with session(json) as current:
        from ops.cli.services import down as run

        run(current)


@commands.command()
def doctor(json: Json = False) -> None:
    """Check this installation and its services, and say what to do about what is wrong."""
    from ops.cli.session import session

    with session(json) as current:
        from ops.cli.services import doctor as run

        if not run(current):
            raise typer.Exit(1)


@commands.command()
def metrics(
    once: Annotated[bool, typer.Option("--once", help="Print the page once instead of serving it.")] = False,
) -> None:
    """Serve metrics for Prometheus, at TENOR_METRICS_HOST and TENOR_METRICS_PORT, until Ctrl-C."""
    from ops.cli.session import session

    with session() as current:
        from ops.cli.services import metrics as run

        run(current, once)


@commands.command()
def version(json: Json = False) -> None:
    """Print the versions of Tenor and of what it computes with."""
    from ops.cli.session import session

    with session(json) as current:
        from ops.cli.services import version as run

        run(current)
