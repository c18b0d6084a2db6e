"""Errors as a person reads them: one sentence and what to do next. Tracebacks go into a file."""

import errno
import os
import re
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path

from ops.cli.text import visible

#: An ordinary word at the start of a message.
_WORD = re.compile(r"[a-z]+(?=[,;:.!?]?(\s|$))")


@dataclass(frozen=True, slots=True)
class Problem:
    """A named error, ready to be shown."""

    code: str
    message: str
    hint: str

    def __str__(self) -> str:
        message = "\n".join(visible(line) for line in self.message.splitlines())
        # Paths, addresses and names of settings stay as they are written.
        sentence = message[:1].upper() + message[1:] if _WORD.match(message) else message
        if not sentence.endswith((".", "!", "?")):
            sentence += "."
        return f"{sentence} {self.hint}".strip()


def explain(exc: Exception) -> Problem:
    """What to tell about an error; one without a name leaves its traceback under TENOR_HOME/logs."""
    named = _named(exc) or _of_database(exc) or _of_system(exc)
    if os.environ.get("TENOR_LOG_LEVEL", "").upper() == "DEBUG":
        traceback.print_exception(exc, file=sys.stderr)
    if named is not None:
        return named
    what = f"something went wrong that Tenor has no name for ({type(exc).__name__})"
    try:
        written = _write_traceback(exc)
    except OSError:
        return Problem("unexpected", what, "TENOR_LOG_LEVEL=DEBUG shows the details.")
    return Problem("unexpected", what, f"The details are in {written}; TENOR_LOG_LEVEL=DEBUG shows them.")


def _named(exc: Exception) -> Problem | None:
    code, hint = getattr(exc, "code", None), getattr(exc, "hint", None)
    if isinstance(code, str) and isinstance(hint, str):
        return Problem(code, str(exc), hint)
    return None


def _of_database(exc: Exception) -> Problem | None:
    """Errors of SQLAlchemy and psycopg2 that reached a command without a name of their own."""
    state = getattr(getattr(exc, "orig", exc), "pgcode", None)
    module = type(exc).__module__
    if not module.startswith(("sqlalchemy.", "psycopg2")) and state is None:
        return None
    if state == "53100":
        return Problem("database_full", "the database's disk is full", "Free space, then run it again.")
    if state in {"42P01", "42703", "3F000"}:
        return Problem("schema_outdated", "the database is not of this version of Tenor", "Run `tenor up`.")
    if state == "42501":
        return Problem("not_allowed", "this database login may not do that", "Check TENOR_DATABASE_URL.")
    if type(exc).__name__ in {"OperationalError", "InterfaceError"}:
        return Problem(
            "database_unavailable",
            "the database went away",
            "Nothing that was written is lost. See `tenor doctor`, then run the command again.",
        )
    return None


def _of_system(exc: Exception) -> Problem | None:
    if not isinstance(exc, OSError):
        return None
    where = f": {exc.filename}" if exc.filename is not None else ""
    reason = f"{exc.strerror or type(exc).__name__}{where}"
    if exc.errno in {errno.ENOSPC, errno.EDQUOT}:
        return Problem("disk_full", reason, "Free space and run the command again; it continues.")
    if exc.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return Problem("not_permitted", reason, "Check who may read and write there, or name another place.")
    return Problem("system_error", reason, "")


def _write_traceback(exc: Exception) -> Path:
    from ops.local.home import make_private

    folder = _home() / "logs"
    make_private(folder.parent)
    folder.mkdir(exist_ok=True)
    path = folder / f"tenor-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
    # For the owner only: messages of libraries may quote data.
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "w", encoding="utf-8") as log:
        traceback.print_exception(exc, file=log)
    return path


def _home() -> Path:
    from ml.errors import TenorError
    from workers.settings import default_home, load_settings

    try:
        return load_settings().home
    except TenorError:
        return default_home()
