"""Waiting for Postgres to come back, so that what a worker has computed survives a restart of the database."""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection, Engine

from db.engine import is_passing

logger = logging.getLogger(__name__)
T = TypeVar("T")

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 5.0


def transaction(engine: Engine, work: Callable[[Connection], T], *, patience_s: float) -> T:
    """The result of `work` in one transaction, tried again for so long while the database is away.

    `work` must be safe to repeat after a commit whose answer was lost: every one here re-checks a fence or a state.
    """
    deadline, pause = time.monotonic() + patience_s, _FIRST_PAUSE_S
    while True:
        try:
            with engine.begin() as conn:
                return work(conn)
        except Exception as exc:
            if not is_passing(exc) or time.monotonic() + pause > deadline:
                raise
            logger.warning("the database broke off (%s); again in %.1f s", type(exc).__name__, pause)
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_S)
