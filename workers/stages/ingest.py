"""ingest: walk an archive, know its files again or hash them, and hand what is missing to align.

A zip or tar file is unpacked first. What a manifest says about a file goes with it; what it lists and the walk does not
find is a failed recording.
"""

import time
from collections.abc import Sequence
from itertools import chain, count, islice
from typing import Any

from celery import Task
from sqlalchemy import Connection, text

from workers import context
from workers.app import app
from workers.archives import roots
from workers.archives.files import Found, Known, storable_path, usable_path
from workers.archives.listed import absent, unread, write_problems
from workers.archives.listing import open_listing
from workers.archives.lists import Lists
from workers.archives.manifest import Problem
from workers.errors import ArchiveEmpty, TurnOver
from workers.jobs.links import link_recordings
from workers.ledger import dispatch
from workers.ledger.claims import Claim
from workers.ledger.patience import transaction
from workers.ledger.units import add_group
from workers.stages.runner import Outcome, run
from workers.telling import Tell

#: Files per transaction. The first ones are few, so that the first recordings are soon on their way.
CHUNKS = (8, 64, 500)
#: Seconds of audio in the first groups, for the same reason; later ones take the setting's.
FIRST_GROUPS_S = (20.0, 60.0, 180.0)
#: After so long, a walk lets another job's walk begin and goes on afterwards.
TURN_S = 60.0


@app.task(bind=True, name="ingest.archive")
def ingest_archive(self: "Task[Any, Any]", *, stage_id: int, job: int) -> str:
    """Walk the archive of one job."""
    return run(self, stage_id, lambda claim, tell: _Ingest(self, claim).work(tell))


class _Ingest:
    """One walk. Every chunk commits for itself; a walk that is begun again finds what the last one left."""

    def __init__(self, task: "Task[Any, Any]", claim: Claim) -> None:
        self.task, self.claim = task, claim
        self.settings, self.engine = context.settings(), context.engine()
        with self.engine.begin() as conn:
            self.job = conn.execute(
                text("""
                    SELECT j.id, j.archive_id, j.profile_version_id, j.options, j.root_id, j.walked_to, a.url
                      FROM jobs j JOIN archives a ON a.id = j.archive_id WHERE j.id = :job
                """),
                {"job": claim.job_id},
            ).one()
            conn.execute(
                text("UPDATE jobs SET state = 'running' WHERE id = :job AND state = 'queued'"),
                {"job": claim.job_id},
            )
        self.only = usable_path(self.job.options["only"]) if self.job.options.get("only") else None
        self.walk, packed = roots.opened(self.engine, self.job.archive_id, self.settings, self._check, self.only)
        self.listing = open_listing(self.walk.folder, packed=packed, report=self._report)
        self.lists = Lists(self.walk.folder, self._after())
        self.waiting: list[tuple[int, float]] = []
        self.groups = 0

    def work(self, tell: Tell) -> Outcome:
        """Walk in chunks; the outcome's commit groups what is left over and marks the archive walked."""
        started, files = time.monotonic(), 0
        paths = self.walk.audio_files(self._after())
        for number in count():
            chunk = list(islice(paths, CHUNKS[min(number, len(CHUNKS) - 1)]))
            if not chunk:
                break
            self._chunk(chunk)
            files += len(chunk)
            tell(f"{files:,} files")
            walked_s = time.monotonic() - started
            if walked_s > self.settings.stage_limit_s / 2 or (walked_s > TURN_S and self._others_wait()):
                raise TurnOver("the walk has had its turn")
        if not files and not self.walk.closed and self.job.walked_to is None:
            raise ArchiveEmpty(f"{self.job.url} holds no audio file")
        if self.only is None:
            self._write_absent()
        spent = time.monotonic() - started
        return Outcome(f"{files} files in {spent:.1f} s", self._finish)

    def _after(self) -> str | None:
        walked_to = self.job.walked_to
        return None if walked_to is None else usable_path(walked_to)

    def _others_wait(self) -> bool:
        with self.engine.connect() as conn:
            return bool(
                conn.execute(
                    text("SELECT EXISTS (SELECT FROM stages WHERE stage = 'ingest' AND state = 'ready')")
                ).scalar()
            )

    def _chunk(self, paths: Sequence[str]) -> None:
        with self.engine.connect() as conn:
            known = {
                row.path: Known(row.size_bytes, row.mtime_ns, row.recording_id)
                for row in conn.execute(
                    text("""
                        SELECT path, size_bytes, mtime_ns, recording_id FROM archive_files
                         WHERE archive_id = :archive AND path = ANY(:paths) AND error_code IS NULL
                    """),
                    {"archive": self.job.archive_id, "paths": [storable_path(path) for path in paths]},
                )
            }
        # Hashing and probing happen outside of any transaction.
        found = self.walk.look(paths, known, self.listing.line, self.listing.base, self.lists)
        # Taken over after the commit only: one that is rolled back and repeated makes other rows.
        self.waiting, self.groups = transaction(
            self.engine, lambda conn: self._commit(conn, found), patience_s=self.settings.patience_s
        )
        with self.engine.begin() as conn:
            ready = dispatch.admit(conn, self.settings)
        dispatch.send(self.task.app, self.engine, ready)

    def _commit(self, conn: Connection, found: Sequence[Found]) -> tuple[list[tuple[int, float]], int]:
        self.claim.lease.check(conn)
        # The walk goes on behind this, whoever goes on with it. It also tells that a chunk was committed already,
        # where only the answer was lost; what it left ungrouped is found at the end.
        behind = conn.execute(
            text("""
                UPDATE jobs SET files_seen = files_seen + :files, walked_to = :last
                 WHERE id = :job AND walked_to IS DISTINCT FROM :last RETURNING files_seen
            """),
            {"files": len(found), "last": found[-1].path, "job": self.job.id},
        ).scalar()
        if behind is None:
            return self.waiting, self.groups
        write_problems(conn, self.job.id, [problem for file in found for problem in file.problems])
        return self._grouped(conn, self.waiting + self._link(conn, found), everything=behind <= CHUNKS[0])

    def _link(self, conn: Connection, found: Sequence[Found]) -> list[tuple[int, float]]:
        return link_recordings(
            conn,
            found,
            job_id=self.job.id,
            archive_id=self.job.archive_id,
            version_id=self.job.profile_version_id,
            options=self.job.options["alignment"],
            batch_s=self.settings.batch_s,
            root_id=self.job.root_id,
            parent_id=self.claim.task_id,
        )

    def _check(self) -> None:
        """Raise `LeaseLost` when the job was cancelled or another worker has it."""
        with self.engine.begin() as conn:
            self.claim.lease.check(conn)

    def _report(self, problems: Sequence[Problem]) -> None:
        kept = [problem for problem in problems if self.only in (None, problem.path)]

        def step(conn: Connection) -> None:
            self.claim.lease.check(conn)
            write_problems(conn, self.job.id, kept)

        transaction(self.engine, step, patience_s=self.settings.patience_s)

    def _write_absent(self) -> None:
        items = chain(unread(self.walk.closed), absent(self.listing, self.walk.absence), self.lists.end())
        while chunk := list(islice(items, CHUNKS[-1])):
            transaction(self.engine, lambda conn: self._commit_absent(conn, chunk), patience_s=self.settings.patience_s)

    def _commit_absent(self, conn: Connection, items: Sequence[Found | Problem]) -> None:
        self.claim.lease.check(conn)
        write_problems(conn, self.job.id, [item for item in items if isinstance(item, Problem)])
        self._link(conn, [item for item in items if isinstance(item, Found)])

    def _grouped(
        self, conn: Connection, waiting: Sequence[tuple[int, float]], *, everything: bool
    ) -> tuple[list[tuple[int, float]], int]:
        """Make groups of (alignment, seconds) that wait.

        Returns the remainder, which is too small unless everything has to go, and the number of groups so far.
        """
        groups = self.groups
        group: list[tuple[int, float]] = []

        def add() -> None:
            nonlocal groups, group
            add_group(conn, self.job.id, group, self.job.root_id, self.claim.task_id)
            groups, group = groups + 1, []

        for alignment in waiting:
            group.append(alignment)
            limit = self.settings.group_s
            if groups < len(FIRST_GROUPS_S):
                limit = min(limit, FIRST_GROUPS_S[groups])
            if sum(seconds for _, seconds in group) >= limit or len(group) >= self.settings.group_files:
                add()
        if group and everything:
            add()
        return group, groups

    def _finish(self, conn: Connection) -> Sequence[int]:
        # From the database, not from memory: an earlier attempt, or a cancelled job, may have left some behind.
        left = conn.execute(
            text("""
                SELECT DISTINCT a.id, coalesce(r.duration_s, 0) AS seconds
                  FROM job_recordings jr
                  JOIN alignments a ON a.id = jr.alignment_id AND a.state = 'pending'
                  JOIN recordings r ON r.id = a.recording_id
                 WHERE jr.job_id = :job AND jr.state = 'aligning'
                   AND NOT EXISTS (SELECT FROM group_members m JOIN stages s ON s.group_id = m.group_id
                                    WHERE m.alignment_id = a.id AND s.state IN ('waiting', 'ready', 'running'))
                 ORDER BY a.id
            """),
            {"job": self.job.id},
        ).all()
        self._grouped(conn, [(row.id, row.seconds) for row in left], everything=True)
        # Where it has been is a path, which nobody needs any more.
        conn.execute(
            text("UPDATE jobs SET ingested_at = now(), walked_to = NULL WHERE id = :job"), {"job": self.job.id}
        )
        return ()
