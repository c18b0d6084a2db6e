"""The `tenor` command: its groups of commands, in the order of `tenor --help`."""

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from ops.cli.commands import alignment, corpus, erasing, labels, reading, retraining, services, training, work


class Commands(TyperGroup):
    """All commands; a wrong choice is told in Typer's sentence, without the word that pydantic puts before it."""

    def invoke(self, ctx: Any) -> Any:
        """Run what was typed."""
        try:
            return super().invoke(ctx)
        except typer.BadParameter as exc:
            exc.message = exc.message.removeprefix("Value error, ")
            raise


app = typer.Typer(
    name="tenor",
    cls=Commands,
    no_args_is_help=True,
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


app.add_typer(work.commands)
app.add_typer(reading.commands)
app.add_typer(alignment.commands)
app.add_typer(training.commands)
app.add_typer(corpus.commands, name="corpus")
app.add_typer(retraining.commands)
app.add_typer(retraining.models, name="models")
app.add_typer(labels.commands, name="labels")
app.add_typer(erasing.commands)
app.add_typer(services.commands)
