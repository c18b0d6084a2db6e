"""Counters that only grow, from the log of what happened to each stage.

States of rows go back when work is put back, so they make no counters; the log does not. It is read from where it was
left, so a look costs as much as happened since, and an exporter that is started again comes to the same totals.
"""

import time
from collections import Counter
from typing import Any

from sqlalchemy import Connection, Row

from db import operations
from db.states import STAGES

#: Rows get their numbers before they are committed, and a lower one may appear after a higher one. What is older than
#: this has appeared; transactions of stages take seconds.
SETTLED_S = 300.0
#: A long history is read in several looks, so that none takes longer than a scrape may.
BUDGET_S = 4.0
#: Errors that alerts wait for: counted from 0, since Prometheus does not see a series' first step.
AWAITED = ("worker_lost", "disk_full", "store_unavailable", "database_away", "artifact_broken")
#: How an attempt ended: the state that it led to, and whether an error did.
_OUTCOMES = {
    ("done", False): "done",
    ("ready", True): "failed",
    ("ready", False): "given_back",
    ("dead", True): "dead",
    ("cancelled", True): "halved",
}


class Moves:
    """Totals since the first stage of the database."""

    def __init__(self) -> None:
        self._forget()

    def _forget(self) -> None:
        self._settled, self._seen = 0, set[int]()
        #: (stage, outcome) → attempts.
        self.ended = Counter({(stage, outcome): 0 for stage in STAGES for outcome in ("done", "failed", "dead")})
        #: (stage, error) → attempts that it ended.
        self.failures = Counter({(stage, code): 0 for stage in STAGES for code in AWAITED})
        #: Of attempts that ended with a result: seconds of audio or speech, and of work.
        self.audio_s = dict.fromkeys(STAGES, 0.0)
        self.work_s = dict.fromkeys(STAGES, 0.0)
        self.utterances = 0
        #: True once the log has been read to its end: before, totals would jump.
        self.complete = False

    def read(self, conn: Connection) -> None:
        """Take in what happened since the last look."""
        if operations.last_move(conn) < self._settled:
            self._forget()  # Another database, or one that went back in time.
        deadline, position = time.monotonic() + BUDGET_S, self._settled
        while rows := operations.moves(conn, position):
            for row in rows:
                self._take(row)
            position = rows[-1].move
            self._settle(rows)
            if len(rows) < operations.CHUNK:
                break
            if time.monotonic() > deadline:
                return
        self.complete = True

    def _settle(self, rows: operations.Rows) -> None:
        for row in rows:
            if row.age_s < SETTLED_S:
                break
            self._settled = max(self._settled, row.move)
        self._seen = {move for move in self._seen if move > self._settled}

    def _take(self, row: Row[Any]) -> None:
        if row.move in self._seen or row.move <= self._settled:
            return
        self._seen.add(row.move)
        if row.came_from != "running":
            return
        outcome = _OUTCOMES.get((row.state, row.error_code is not None))
        if outcome is None:
            return  # Cancelled with its job, or begun again with its batch.
        self.ended[row.stage, outcome] += 1
        if row.error_code is not None:
            self.failures[row.stage, row.error_code] += 1
        if outcome == "done":
            self.audio_s[row.stage] += row.audio_s or 0.0
            self.work_s[row.stage] += row.worked_s or 0.0
            if row.stage == "fuse":
                self.utterances += row.utterances or 0
