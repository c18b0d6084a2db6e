"""What is going on, for metrics: read through the public views, so that the read-only login suffices.

The cost of each statement grows with what is open, failed or new, never with what has been scored.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, text

Rows = Sequence[Row[Any]]

#: Moves that are read at once.
CHUNK = 20_000


def moves(conn: Connection, after: int) -> Rows:
    """The next moves of stages behind a number, in ascending order, each with its age in seconds."""
    return conn.execute(
        text("""
            SELECT move, stage, came_from, state, error_code, worked_s, audio_s, utterances,
                   extract(epoch FROM now() - at)::float8 AS age_s
              FROM stage_moves WHERE move > :after ORDER BY move LIMIT :chunk
        """),
        {"after": after, "chunk": CHUNK},
    ).all()


def last_move(conn: Connection) -> int:
    """The number of the newest move, 0 before the first."""
    return conn.execute(text("SELECT move FROM stage_moves ORDER BY move DESC LIMIT 1")).scalar() or 0


def backlog(conn: Connection) -> Rows:
    """Open and dead work, a row per stage that has some."""
    return conn.execute(text("SELECT * FROM stage_backlog")).all()


def in_hand(conn: Connection) -> Row[Any]:
    """How much is open and for how long."""
    return conn.execute(text("SELECT * FROM work_in_hand")).one()


def failed_recordings(conn: Connection) -> Rows:
    """(error_code, recordings) of files without results."""
    return conn.execute(text("SELECT error_code, recordings FROM failed_recordings")).all()


def champions(conn: Connection) -> Rows:
    """(profile, version, fingerprint) that new jobs pin."""
    return conn.execute(text("SELECT profile, version, fingerprint FROM champions")).all()


def runs(conn: Connection) -> Rows:
    """(profile, state, runs) of retraining."""
    return conn.execute(
        text("SELECT profile, state, count(*) AS runs FROM retraining GROUP BY profile, state")
    ).all()  # fmt: skip


def drift(conn: Connection) -> Rows:
    """The newest measurement of each champion."""
    return conn.execute(
        text("""
            SELECT DISTINCT ON (profile) profile, version, psi, mmd_p, mmd_voices_p,
                   extract(epoch FROM measured_at)::float8 AS measured
              FROM model_quality WHERE is_champion ORDER BY profile, measured_at DESC
        """)
    ).all()
