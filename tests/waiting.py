"""Waiting for what happens elsewhere."""

import time
from collections.abc import Callable
from typing import Any


def until(
    condition: Callable[[], Any],
    what: str,
    timeout_s: float,
    said: Callable[[], str],
    *,
    every_s: float = 0.05,
) -> Any:
    """What a condition gives as soon as it is something; else an `AssertionError` with what is `said` by then."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(every_s)
    raise AssertionError(f"{what}: not within {timeout_s:.0f} s\n{said()}")
