"""Indexes on disk that live as long as one walk.

They are SQLite's temporary databases: private, unlinked while they are open, so that nothing is left behind whatever
happens to the process, and in memory only as far as their cache reaches.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from workers.errors import DiskFull

#: Memory for pages of an index.
_CACHE_KB = 65_536


def scratch(*statements: str) -> sqlite3.Connection:
    """An empty index, its tables made by the statements, in a transaction that never ends.

    Each end of one would write all pages that the cache holds: a millisecond for 100,000 rows.
    """
    index = sqlite3.connect("", isolation_level=None)
    for statement in (
        "PRAGMA journal_mode = OFF",
        "PRAGMA synchronous = OFF",
        f"PRAGMA cache_size = -{_CACHE_KB}",
        *statements,
        "BEGIN",
    ):
        index.execute(statement)
    return index


@contextmanager
def writing(what: str) -> Iterator[None]:
    """Raises `DiskFull` when there is no space for what is written into an index of `what`."""
    try:
        yield
    except sqlite3.OperationalError as exc:
        raise DiskFull(
            f"the temporary folder has no space left for the index of {what}",
            hint="Free space in TMPDIR where the ingest worker runs; the walk is tried again until there is some.",
        ) from exc
