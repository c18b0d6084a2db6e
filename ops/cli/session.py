"""What every command shares: where output goes, what Ctrl-C does, how an error becomes a sentence and a code.

Standard output holds results only, with `--json` exactly one document; all else goes to standard error.
Exit codes: 0 fine, 1 a named error, 2 wrong usage, 3 some failed under `--strict`, 130 interrupted.
"""

import io
import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from types import FrameType
from typing import Any, TextIO

import typer
from rich.console import Console

from ops.cli import failures

INTERRUPTED = 130
SOME_FAILED = 3
#: Width of tables where there is no terminal and COLUMNS is not set; paths should not be folded in a log.
PIPE_WIDTH = 200


class Session:
    """The two outputs of one command."""

    def __init__(self, json_output: bool) -> None:
        self.json_output = json_output
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                # A terminal that cannot show a character gets its number instead of ending the command.
                stream.reconfigure(errors="backslashreplace")
        self.out = _console(sys.stdout)
        self.err = _console(sys.stderr, stderr=True)
        self._answered = False

    @property
    def stdout(self) -> TextIO:
        """Standard output for streamed results; from here on an error is not written into it."""
        self._answered = True
        return sys.stdout

    def say(self, line: str) -> None:
        """A line for the person, on standard error."""
        self.err.print(line, markup=False, highlight=False, soft_wrap=True)

    def print(self, line: str) -> None:
        """A line of the result, on standard output."""
        self.out.print(line, markup=False, highlight=False, soft_wrap=True)

    def document(self, value: Any) -> None:
        """The command's one JSON document; dataclasses become objects, times ISO 8601."""
        from ops.cli.formats import as_json

        self.stdout.write(json.dumps(as_json(value), ensure_ascii=False, indent=2) + "\n")

    def failed(self, problem: failures.Problem) -> None:
        """Say what went wrong; with `--json` also as the document, unless one was begun."""
        self.say(f"Error: {problem}")
        if self.json_output and not self._answered:
            self.document({"error": asdict(problem)})


def _console(file: TextIO, *, stderr: bool = False) -> Console:
    plain = not file.isatty() and "COLUMNS" not in os.environ
    return Console(stderr=stderr, width=PIPE_WIDTH if plain else None, highlight=False)


@contextmanager
def session(json_output: bool = False) -> Iterator[Session]:
    """The body of every command: whatever happens in it ends as an exit code and at most a sentence."""
    _interruptible_once()
    _replace_closed()
    current = Session(json_output)
    try:
        try:
            yield current
        finally:
            sys.stdout.flush()
    except typer.Exit:
        raise
    except KeyboardInterrupt as exc:
        _interrupted(current, exc)
        raise typer.Exit(INTERRUPTED) from None
    except BrokenPipeError:
        # Whoever read our output has seen enough (`tenor sql … | head`).
        _discard_output()
        raise typer.Exit(0) from None
    except Exception as exc:
        if isinstance(exc, OSError) and not _flushes():
            _discard_output()
        current.failed(failures.explain(exc))
        raise typer.Exit(1) from None


def _replace_closed() -> None:
    """Outputs that the caller has closed (`tenor status >&-`) swallow what is written, as /dev/null does."""
    sys.stdout = sys.stdout or os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    sys.stderr = sys.stderr or os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")


def _interrupted(current: Session, exc: KeyboardInterrupt) -> None:
    job_id = getattr(exc, "job_id", None)
    if job_id is None:
        current.failed(failures.Problem("interrupted", "interrupted", str(exc)))
        return
    current.say(str(exc))
    if current.json_output:
        current.document({"job_id": job_id, "detached": True})


def _interruptible_once() -> None:
    """The first Ctrl-C raises KeyboardInterrupt, to take one's leave; the second ends the process at once."""

    def second(number: int, frame: FrameType | None) -> None:
        os._exit(INTERRUPTED)

    def first(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, second)
        raise KeyboardInterrupt

    try:
        signal.signal(signal.SIGINT, first)
    except ValueError:
        return  # Not the main thread: a program calls the command, and Ctrl-C is its business.


def _flushes() -> bool:
    """False when standard output cannot be written, e.g. into a file on a full disk."""
    try:
        sys.stdout.flush()
    except OSError:
        return False
    return True


def _discard_output() -> None:
    """Let the interpreter's last flush of standard output go nowhere instead of failing."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):
        return  # Standard output is no file: nothing will be flushed into it.
