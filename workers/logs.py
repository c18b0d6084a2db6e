"""Logs on standard error: lines for people, or JSON lines for machines (TENOR_LOG_FORMAT).

Each line names the work that it is about: job, batch, stage, attempt, recordings. Nothing that was said in a recording
gets into one: messages of libraries may quote a transcript, so an exception is written as its class and its place.
"""

import copy
import logging
import sys
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Any, Literal

import structlog
from structlog.contextvars import bound_contextvars, merge_contextvars
from structlog.stdlib import ProcessorFormatter, add_log_level, add_logger_name

from workers.ledger.failures import trace_without_values

Format = Literal["text", "json"]


@contextmanager
def about(**work: object) -> Iterator[None]:
    """What lines from here on are about; None is left out."""
    with bound_contextvars(**{name: value for name, value in work.items() if value is not None}):
        yield


def dress(logger: logging.Logger, format: Format) -> None:
    """Give the handlers of a logger the form that lines have here."""
    for handler in logger.handlers:
        handler.setFormatter(formatter(format))


def set_up(level: str, format: Format) -> None:
    """Log to standard error, in a process that is not Celery's."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter(format))
    logging.basicConfig(level=level, handlers=[handler], force=True)


def formatter(format: Format) -> logging.Formatter:
    """How a record becomes a line."""
    rendered = structlog.processors.JSONRenderer(ensure_ascii=False, default=str) if format == "json" else _line
    return _Formatter(
        foreign_pre_chain=[
            merge_contextvars,
            add_log_level,
            add_logger_name,
            structlog.processors.TimeStamper("iso", utc=True),
        ],
        processors=[_trace, ProcessorFormatter.remove_processors_meta, rendered],
    )


class _Formatter(ProcessorFormatter):
    def format(self, record: logging.LogRecord) -> str:
        """A line; of an error that Celery reports, without what the exception says."""
        said = record.args
        if isinstance(said, Mapping) and "exc" in said:
            record = copy.copy(record)
            kind = record.exc_info[0] if record.exc_info else None
            record.args = {**said, "exc": kind.__name__ if kind else "an error", "traceback": ""}
        return super().format(record)


def _trace(_logger: object, _name: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    failed = line.pop("exc_info", None)
    exc = failed[1] if isinstance(failed, tuple) else failed
    if isinstance(exc, BaseException):
        line["traceback"] = trace_without_values(exc)
    return line


def _line(_logger: object, _name: str, line: MutableMapping[str, Any]) -> str:
    moment, level, logger = line.pop("timestamp"), line.pop("level"), line.pop("logger")
    event, trace = line.pop("event"), line.pop("traceback", None)
    work = f" [{' '.join(f'{name}={value}' for name, value in line.items())}]" if line else ""
    return f"{moment} {level.upper()} {logger}: {event}{work}" + (f"\n{trace.rstrip()}" if trace else "")
