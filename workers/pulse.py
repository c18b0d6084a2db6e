"""A file whose age tells a health check whether a process hears Redis, without asking the process.

Asking (`celery inspect ping`) starts a Python each time, and a worker that computes in its main process cannot answer.
"""

import logging
from pathlib import Path

logger = logging.getLogger(__name__)


def touch(file: Path | None) -> None:
    """Set the file's time to now. That it cannot be written must not end a worker's connection, so it is only said."""
    if file is None:
        return
    try:
        file.touch()
    except OSError as exc:
        logger.warning("the pulse %s cannot be written: %s", file, exc.strerror)
