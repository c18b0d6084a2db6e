"""Commands about this installation: what can be typed."""

from pathlib import Path
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
def upgrade(json: Json = False) -> None:
    """Bring the database to this version of Tenor and restart workers one after the other; jobs go on."""
    from ops.cli.session import session

    with session(json) as current:
        from ops.cli.services import upgrade as run

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
def backup(
    place: Annotated[Path, typer.Argument(metavar="FOLDER", help="A folder that is not there yet.")],
    with_secrets: Annotated[bool, typer.Option("--with-secrets", help="Passwords and tenor.toml too.")] = False,
    json: Json = False,
) -> None:
    """Back up the database and the models trained here, while everything runs, and read it back."""
    from ops.cli.session import session

    with session(json) as current:
        from ops.cli.backups import backup as run

        run(current, place, with_secrets=with_secrets)


@commands.command()
def restore(
    backup: Annotated[Path, typer.Argument(metavar="BACKUP", help="What `tenor backup` wrote.")],
    replace: Annotated[bool, typer.Option("--replace", help="Put it in the place of the data there is.")] = False,
    json: Json = False,
) -> None:
    """Bring a back-up back into this home, or into the database that the settings name. Workers have to be down."""
    from ops.cli.session import session

    with session(json) as current:
        from ops.cli.backups import restore as run

        run(current, backup, replace=replace)


@commands.command()
def version(json: Json = False) -> None:
    """Print the versions of Tenor and of what it computes with."""
    from ops.cli.session import session

    with session(json) as current:
        from ops.cli.services import version as run

        run(current)
