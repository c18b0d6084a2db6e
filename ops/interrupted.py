"""What Ctrl-C leaves behind, said where it is known."""

from collections.abc import Iterator
from contextlib import contextmanager

#: Before a command has done anything.
NOTHING = "There is no new job, and nothing was started."
#: While services start.
STARTED = "Services that had started stay up (`tenor down` stops them); there is no new job. The same command goes on."


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, with a sentence about what was begun and how to go on."""


@contextmanager
def leaving(sentence: str) -> Iterator[None]:
    """Let Ctrl-C in the block say this, unless something within has said more."""
    try:
        yield
    except KeyboardInterrupt as exc:
        if str(exc):
            raise
        raise Interrupted(sentence) from None
