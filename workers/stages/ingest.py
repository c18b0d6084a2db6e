"""ingest: walk an archive, know its files again or hash them, and hand what is missing to align."""

import time
import uuid
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from celery import Task
from sqlalchemy import Connection, text

from db.errors import LeaseLost
from workers import context, dispatch
from workers.app import app
from workers.claims import Claim
from workers.errors import ArchiveEmpty, ArchiveMissing
from workers.files import Found, Known, audio_files, look
from workers.links import link_recordings, options_hash
from workers.stages.runner import Outcome, run
from workers.units import add_group

#: Files per transaction. The first ones are few, so that the first recordings are soon on their way.
CHUNKS = (8, 64, 500)
#: Seconds of audio in the first groups, for the same reason; later ones take the setting's.
FIRST_GROUPS_S = (20.0, 60.0, 180.0)


@app.task(bind=True, name="ingest.archive")
def ingest_archive(self: "Task[Any, Any]", *, stage_id: int, job: int) -> str:
    """Walk the archive of one job."""
    return run(self, stage_id, lambda claim: _Ingest(self, claim).work())


class _Ingest:
    """One walk. Every chunk commits for itself; a walk that is begun again finds what the last one left."""

    def __init__(self, task: "Task[Any, Any]", claim: Claim) -> None:
        self.task, self.claim = task, claim
        self.settings, self.engine = context.settings(), context.engine()
        with self.engine.begin() as conn:
            self.job = conn.execute(
                text("""
                    SELECT j.id, j.archive_id, j.profile_version_id, j.options, j.root_id, a.url
                      FROM jobs j JOIN archives a ON a.id = j.archive_id WHERE j.id = :job
                """),
                {"job": claim.job_id},
            ).one()
            conn.execute(
                text("UPDATE jobs SET state = 'running' WHERE id = :job AND state = 'queued'"),
                {"job": claim.job_id},
            )
        self.root = Path(self.job.url)
        self.options: dict[str, Any] = self.job.options["alignment"]
        self.options_hash = options_hash(self.options)
        self.waiting: list[tuple[int, float]] = []
        self.groups = 0

    def work(self) -> Outcome:
        """Walk in chunks; the outcome's commit groups what is left over and marks the archive walked."""
        started, files = time.monotonic(), 0
        paths = self._paths()
        for number in range(10**9):
            chunk = list(islice(paths, CHUNKS[min(number, len(CHUNKS) - 1)]))
            if not chunk:
                break
            files += len(chunk)
            self._chunk(chunk, files)
        if not files:
            raise ArchiveEmpty(f"{self.root} holds no audio file")
        spent = time.monotonic() - started
        return Outcome(f"{files} files in {spent:.1f} s", self._finish)

    def _paths(self) -> Iterator[str]:
        if only := self.job.options.get("only"):
            return iter([only])
        if not self.root.is_dir():
            raise ArchiveMissing(f"{self.root} is not a folder that this worker can read")
        return audio_files(self.root)

    def _chunk(self, paths: Sequence[str], files: int) -> None:
        with self.engine.connect() as conn:
            known = {
                row.path: Known(row.size_bytes, row.mtime_ns, row.recording_id)
                for row in conn.execute(
                    text("""
                        SELECT path, size_bytes, mtime_ns, recording_id FROM archive_files
                         WHERE archive_id = :archive AND path = ANY(:paths) AND error_code IS NULL
                    """),
                    {"archive": self.job.archive_id, "paths": list(paths)},
                )
            }
        # Hashing and probing happen outside of any transaction.
        found = [look(self.root, path, known.get(path)) for path in paths]
        with self.engine.begin() as conn:
            self._still_ours(conn)
            conn.execute(
                text("UPDATE jobs SET files_seen = :files WHERE id = :job"),
                {"files": files, "job": self.job.id},
            )
            self.waiting += self._link(conn, found)
            ready = self._groups(conn, everything=files <= CHUNKS[0])
            ready += dispatch.admit(conn, self.settings.open_batches)
        dispatch.send(self.task.app, self.engine, ready)

    def _link(self, conn: Connection, found: Sequence[Found]) -> list[tuple[int, float]]:
        return link_recordings(
            conn,
            found,
            job_id=self.job.id,
            archive_id=self.job.archive_id,
            version_id=self.job.profile_version_id,
            options=self.options,
            options_hash=self.options_hash,
            batch_s=self.settings.batch_s,
            root_id=self.job.root_id,
            parent_id=self.claim.task_id,
        )

    def _still_ours(self, conn: Connection) -> None:
        kept = conn.execute(
            text("SELECT FROM stages WHERE id = :id AND state = 'running' AND attempt = :attempt FOR UPDATE"),
            {"id": self.claim.stage_id, "attempt": self.claim.attempt},
        ).one_or_none()
        if kept is None:
            raise LeaseLost(f"stage {self.claim.stage_id} was cancelled or taken over")

    def _groups(self, conn: Connection, *, everything: bool) -> list[int]:
        """Make groups of what waits; keep a remainder that is too small, unless everything has to go."""
        ready: list[int] = []
        group: list[tuple[int, float]] = []
        for alignment in self.waiting:
            group.append(alignment)
            limit = self.settings.group_s
            if self.groups < len(FIRST_GROUPS_S):
                limit = min(limit, FIRST_GROUPS_S[self.groups])
            if sum(seconds for _, seconds in group) >= limit or len(group) >= self.settings.group_files:
                ready.append(self._add(conn, group))
                group = []
        if group and everything:
            ready.append(self._add(conn, group))
            group = []
        self.waiting = group
        return ready

    def _add(self, conn: Connection, group: Sequence[tuple[int, float]]) -> int:
        self.groups += 1
        root: uuid.UUID = self.job.root_id
        return add_group(conn, self.job.id, group, root, self.claim.task_id)

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
        self.waiting = [(row.id, row.seconds) for row in left]
        ready = self._groups(conn, everything=True)
        conn.execute(text("UPDATE jobs SET ingested_at = now() WHERE id = :job"), {"job": self.job.id})
        return ready
