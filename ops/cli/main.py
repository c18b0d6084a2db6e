"""The `tenor` command: its groups of commands, in the order of `tenor --help`."""

from typing import Annotated

import typer

from ops.cli.commands import alignment, corpus, labels, reading, retraining, services, training, work

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


app.add_typer(work.commands)
app.add_typer(reading.commands)
app.add_typer(alignment.commands)
app.add_typer(training.commands)
app.add_typer(corpus.commands, name="corpus")
app.add_typer(retraining.commands)
app.add_typer(retraining.models, name="models")
app.add_typer(labels.commands, name="labels")
app.add_typer(services.commands)
