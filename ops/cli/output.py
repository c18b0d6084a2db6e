"""How the command line speaks: results on stdout, everything else on stderr, errors as sentences."""

import json
import os
import sys
import traceback
from collections.abc import Callable
from datetime import datetime
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec

import typer
from rich.console import Console
from rich.table import Table

P = ParamSpec("P")

#: Exit codes.
OK, FAILED, USAGE, SOME_FAILED, INTERRUPTED = 0, 1, 2, 3, 130

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def print_json(value: Any) -> None:
    """Exactly one JSON document on stdout."""
    print(json.dumps(value, indent=2, default=str, ensure_ascii=False))


def rows_table(rows: list[dict[str, Any]], columns: dict[str, str]) -> Table:
    """A table of some columns (name → heading) of rows."""
    from ops.query import cell

    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in columns.values():
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(cell(row[name]) for name in columns))
    return table


def sentences(function: Callable[P, None]) -> Callable[P, None]:
    """Turn errors into sentences and exit codes; a traceback of the unexpected goes into a log file."""

    @wraps(function)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
        from db.errors import DatabaseProblem
        from ml.errors import TenorError

        try:
            function(*args, **kwargs)
        except (TenorError, DatabaseProblem) as exc:
            _complain(str(exc), exc.hint, exc.code)
            raise typer.Exit(FAILED) from None
        except BrokenPipeError:
            # The reader has what it wanted (`tenor sql … | head`); nothing more can be written, also not at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(OK) from None
        except KeyboardInterrupt:
            err.print("interrupted")
            raise typer.Exit(INTERRUPTED) from None
        except (typer.Exit, typer.Abort):
            raise
        except OSError as exc:
            name = f" ({exc.filename})" if exc.filename else ""
            _complain(f"{exc.strerror or type(exc).__name__}{name}", "", "os_error")
            raise typer.Exit(FAILED) from None
        except Exception as exc:
            _complain(f"unexpected {type(exc).__name__}", f"The details are in {_log(exc)}.", "unexpected")
            raise typer.Exit(FAILED) from None

    return guarded


def _complain(sentence: str, hint: str, code: str) -> None:
    err.print(f"[bold red]error[/]: {_escaped(sentence).rstrip('.')}.", end=" " if hint else "\n", soft_wrap=True)
    if hint:
        err.print(_escaped(hint), soft_wrap=True)
    if "--json" in sys.argv:
        print_json({"error": code, "message": sentence, "hint": hint})


def _escaped(text: str) -> str:
    return text.replace("[", "\\[")


def _log(exc: Exception) -> str:
    from workers.settings import default_home

    folder = Path(os.environ.get("TENOR_HOME") or default_home()) / "logs"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "cli.log"
        with path.open("a") as file:
            file.write(f"\n{datetime.now().isoformat(timespec='seconds')} {' '.join(sys.argv[1:2])}\n")
            file.writelines(traceback.format_exception(exc))
        return str(path)
    except OSError:
        traceback.print_exception(exc)
        return "the traceback above"
