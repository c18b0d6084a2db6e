"""What a worker takes for a message: JSON of the shape that tasks are sent in, and nothing else.

Celery looks at what a message says it is. Content that says it is plain data passes for trusted, ends the worker that
tries to read it, and comes back to the next one, so that a single message would stop a queue.
"""

import json
import uuid
from collections.abc import Callable
from typing import Any

from celery import Task
from celery.exceptions import InvalidTaskError
from celery.worker.strategy import default


class StrictTask(Task):
    """A task whose messages are looked at before anything is done about them."""

    abstract = True
    Strategy = "workers.messages:strategy"


def strategy(task: Any, app: Any, consumer: Any, **more: Any) -> Callable[..., Any]:
    """How a worker handles messages of a task: as Celery does, once they have been looked at."""
    handle = default(task, app, consumer, **more)

    def handle_checked(message: Any, *arguments: Any, **named: Any) -> Any:
        check(message)
        return handle(message, *arguments, **named)

    return handle_checked


def check(message: Any) -> None:
    """Raise `InvalidTaskError`, for which the worker drops the message and goes on."""
    if message.content_type != "application/json":
        raise InvalidTaskError(f"content of type {str(message.content_type)[:60]} is not read")
    try:
        uuid.UUID(message.headers["id"])
        arguments, named, embedded = json.loads(message.body)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as exc:
        raise InvalidTaskError(f"it is not a task's message ({type(exc).__name__})") from None
    if (type(arguments), type(named), type(embedded)) != (list, dict, dict):
        raise InvalidTaskError("it is not a task's message")
