"""How far a running task is, told while it runs: to Flower by an event, to Postgres by its row."""

import logging
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from celery import Celery, Task
from sqlalchemy import Engine, text

from workers.ledger.claims import Claim

logger = logging.getLogger(__name__)

#: A task that is shorter tells nothing; a longer one, so often at most.
TELL_S = 1.0
#: One line: counts and minutes, nothing from a transcript.
Tell = Callable[[str], None]


class Teller:
    """Tells from a thread of its own, so that work never waits for it, nor ends when it cannot be told."""

    def __init__(self, task: "Task[Any, Any]", engine: Engine, claim: Claim) -> None:
        # A task knows its request in its own thread only.
        self._app, self._hostname, self._engine, self._claim = task.app, task.request.hostname, engine, claim
        self._line = ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._tell, name=f"tell-{claim.stage_id}", daemon=True)

    def __call__(self, line: str) -> None:
        """Note how far it is; costs nothing."""
        self._line = line

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        # What is told after the task's end would stand in Flower instead of its result.
        self._thread.join(timeout=TELL_S)

    def _tell(self) -> None:
        told = ""
        while not self._stop.wait(TELL_S):
            line = self._line
            if line == told:
                continue
            told = line
            try:
                self._write(line)
                announce(self._app, str(self._hostname), str(self._claim.task_id), line)
            except Exception as exc:
                logger.info("progress of stage %d could not be told (%s)", self._claim.stage_id, type(exc).__name__)

    def _write(self, line: str) -> None:
        with self._engine.begin() as conn:
            conn.execute(
                text(
                    "UPDATE stages SET progress = :line WHERE id = :id AND state = 'running' AND attempt = :attempt"
                ),
                {"line": line, "id": self._claim.stage_id, "attempt": self._claim.attempt},
            )  # fmt: skip


def announce(app: Celery, hostname: str, task_id: str, line: str) -> None:
    """Show a line with a running task in Flower, whose pages have no field for it but the result's.

    The event's name becomes the state that Flower shows, PROGRESS, until the task ends. Raises what the broker raises.
    """
    with app.events.default_dispatcher(hostname=hostname) as dispatcher:
        dispatcher.send("task-progress", uuid=task_id, result=line, retry=False)
