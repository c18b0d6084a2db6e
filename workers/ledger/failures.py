"""What an error in a stage means: what is written down, whether it counts, whether the data may be to blame."""

import errno
import traceback
from dataclasses import dataclass

from celery.exceptions import SoftTimeLimitExceeded

from db import engine as database
from db.errors import DatabaseProblem, InvalidScores
from ml.audio.errors import NoTemporarySpace
from ml.errors import TenorError
from workers.errors import ArchiveUnusable, DatabaseAway, DiskFull, Passing, StageTooLong, StoreUnavailable, TurnOver

_NO_SPACE = {errno.ENOSPC, errno.EDQUOT}
#: What an operating system says of a network file system, a cable or a table of open files, not of the data.
_PASSING = {
    *(errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENETUNREACH),
    *(errno.ECONNREFUSED, errno.ECONNRESET, errno.ECONNABORTED, errno.EHOSTUNREACH, errno.EPIPE, errno.ENOTCONN),
}


def named(exc: Exception) -> Exception:
    """The named error behind an exception, or the exception itself when nothing is known of it."""
    if isinstance(exc, NoTemporarySpace):
        return DiskFull(str(exc), hint=exc.hint)
    if isinstance(exc, TenorError | DatabaseProblem):
        return exc
    if isinstance(exc, SoftTimeLimitExceeded):
        return StageTooLong("the stage took longer than its amount of audio permits")
    if database.is_passing(exc):
        return DatabaseAway("Postgres broke off in the middle of the stage")
    if isinstance(exc, OSError):
        if exc.errno in _NO_SPACE:
            return DiskFull("a disk has no space left")
        if exc.errno in _PASSING or isinstance(exc, ConnectionError | TimeoutError):
            return StoreUnavailable(f"a file system or service did not answer ({type(exc).__name__})")
    return exc


@dataclass(frozen=True, slots=True)
class Failure:
    """How an attempt ended without a result."""

    code: str
    sentence: str
    traceback: str | None = None
    #: False when something around the work failed: it is tried again, however often.
    counts: bool = True
    #: Something in the unit may have caused it, so that halving the unit finds the culprit.
    blames_data: bool = True
    #: Trying again cannot help.
    permanent: bool = False
    #: Before it is tried again; None: longer and longer.
    pause_s: float | None = None


def failure(exc: Exception) -> Failure:
    """What an exception means.

    A named error knows its cause, so the data are not searched for one, unless it is of the kind that one bad
    recording brings about.
    """
    known = isinstance(exc, TenorError | DatabaseProblem)
    code, said = describe(exc)
    return Failure(
        code,
        said,
        trace_without_values(exc),
        counts=not isinstance(exc, Passing),
        blames_data=not known or isinstance(exc, StageTooLong | InvalidScores),
        permanent=isinstance(exc, ArchiveUnusable),
        pause_s=0.0 if isinstance(exc, TurnOver) else None,
    )


def describe(exc: BaseException) -> tuple[str, str]:
    """(code, sentence) of an error as the database keeps it; of an unnamed one, which may quote text, the class."""
    code = getattr(exc, "code", None)
    if isinstance(code, str) and hasattr(exc, "hint"):
        return code, sentence(exc)
    return type(
        exc
    ).__name__, f"The stage failed with {type(exc).__name__}; the traceback stands beside it in the database."


def sentence(exc: BaseException) -> str:
    """An error and its hint as one text."""
    return f"{str(exc).rstrip('.')}. {getattr(exc, 'hint', '')}".strip()


def trace_without_values(exc: BaseException) -> str:
    """The traceback with each exception's class but no message: messages of libraries may quote a transcript."""
    lines: list[str] = []
    seen: BaseException | None = exc
    while seen is not None:
        lines.append(f"{type(seen).__module__}.{type(seen).__qualname__}\n")
        lines.extend(traceback.format_tb(seen.__traceback__))
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
    return "".join(lines)
