"""`python -m ops.cli` is the `tenor` command."""

from ops.cli.main import app

app(prog_name="tenor")
