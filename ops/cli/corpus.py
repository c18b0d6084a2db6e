"""`tenor corpus …`: what can be typed about labelled corpora. Nothing heavy is imported here."""

from pathlib import Path
from typing import Annotated

import typer

from ops.cli.options import Json

app = typer.Typer(help="Labelled corpora: which there are, and their labels into the database.", no_args_is_help=True)


@app.command("list")
def list_corpora(json: Json = False) -> None:
    """List the corpora that can be imported, with their licences."""
    from ops.cli.session import session

    with session(json) as current:
        from ops.cli.labels import list_corpora as run

        run(current)


@app.command("import")
def import_corpus(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The corpus, as `tenor corpus list` names it.")],
    path: Annotated[Path, typer.Argument(metavar="PATH", help="The folder it was unpacked into; for csv the table.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and count only; no database is needed.")] = False,
    json: Json = False,
) -> None:
    """Load a corpus's labels into the database, onto the recordings they are about, and count them.

    Importing again changes nothing. Recordings are known by their content: analyse them before or afterwards.
    """
    from ops.cli.session import session

    with session(json) as current:
        from ops.cli.labels import import_corpus as run

        run(current, name, path, dry_run=dry_run)
