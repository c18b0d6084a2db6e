"""A worker's own watchdog: one that no longer hears its queues ends itself, so that whoever keeps it starts it anew.

After a lost or silently dead connection to Redis a worker can stay alive, answer nothing and take nothing (celery
issues 8030, 9191, 9631). From outside it looks healthy. What tells is that messages wait in its queues while it has
nothing to do.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Collection

import billiard
from celery import Celery
from celery.worker import state

from workers import broker

logger = logging.getLogger(__name__)

#: Looks before silence counts as deafness.
LOOKS = 6
#: EX_TEMPFAIL: start me again.
EXIT_CODE = 75


class Ears:
    """Decides, look by look, whether a worker is deaf."""

    def __init__(self, queues: Collection[str]) -> None:
        self._queues = queues
        self._silent_looks = 0
        self._heard = -1

    def is_deaf(self, waiting: dict[str, int] | None, busy: bool, heard: int) -> bool:
        """Take one look: messages per queue (None: Redis does not say), whether a task is in hand, tasks ever received.

        True after `LOOKS` looks in a row at messages that nobody took while this worker had nothing to do.
        """
        idle = not busy and heard == self._heard
        self._heard = heard
        if waiting is None or not idle or not any(waiting.get(queue, 0) for queue in self._queues):
            self._silent_looks = 0
        else:
            self._silent_looks += 1
        return self._silent_looks >= LOOKS


def watch(app: Celery, queues: Collection[str], deaf_s: float, end: Callable[[], None]) -> None:
    """Look every sixth of `deaf_s` seconds until the worker is deaf, then call `end`."""
    ears = Ears(queues)
    while True:
        time.sleep(deaf_s / LOOKS)
        # Each worker also keeps a list for reserved tasks, which holds those that wait for a free child.
        busy = bool(state.reserved_requests)
        if ears.is_deaf(broker.waiting(app), busy, sum(state.total_count.values())):
            logger.critical("messages have waited for %.0f s and this idle worker hears none: it ends", deaf_s)
            end()


def listen(app: Celery, queues: Collection[str], deaf_s: float) -> None:
    """Watch from a thread of the worker's main process."""
    threading.Thread(target=watch, args=(app, queues, deaf_s, _end), name="ears", daemon=True).start()


def _end() -> None:
    # Idle children have nothing to lose, and a polite shutdown would wait for the dead connection.
    for child in billiard.active_children():
        child.terminate()
    os._exit(EXIT_CODE)
