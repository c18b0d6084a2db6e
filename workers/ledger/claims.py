"""Claims on rows of `stages`: take, finish, fail. What makes one one's own is its lease (`workers.ledger.leases`)."""

import uuid
from dataclasses import dataclass

from sqlalchemy import Connection, text

from db.errors import LeaseLost
from workers.errors import ArtifactBroken
from workers.ledger import failures, leases
from workers.ledger.leases import Lease
from workers.ledger.outcomes import restart_batch, settle
from workers.ledger.wanted import NOT_PAUSED

#: Recordings of a unit that its log lines name; the others are in the database.
NAMED = 20


@dataclass(frozen=True, slots=True)
class Claim:
    """One worker's right to work on one stage of a job, a group or a batch."""

    stage_id: int
    stage: str
    job_id: int
    group_id: int | None
    batch_id: int | None
    attempt: int
    owner: str
    root_id: uuid.UUID
    task_id: uuid.UUID

    @property
    def lease(self) -> Lease:
        """The right to work on the stage."""
        return Lease("stages", self.stage_id, self.attempt)


def claim(conn: Connection, stage_id: int, task_id: uuid.UUID, *, lease_s: float, max_tries: int) -> Claim | None:
    """Take a stage, or None when it is done, cancelled, not ready, paused, or somebody's who still works on it."""
    # A message that came back because its process died is the first to know; no need to wait for the sweeper.
    leases.break_lost(conn, max_tries=max_tries, stage_id=stage_id)
    values = leases.taking(task_id, lease_s)
    row = conn.execute(
        text(f"""
            UPDATE stages s SET {leases.TAKEN}, finished_at = NULL, progress = NULL
             WHERE id = :stage_id AND state = 'ready' AND ready_at <= now() AND {NOT_PAUSED}
            RETURNING id, stage, job_id, group_id, batch_id, attempt, owner, root_id
        """),
        {"stage_id": stage_id, **values},
    ).one_or_none()
    if row is None:
        return None
    return Claim(
        row.id, row.stage, row.job_id, row.group_id, row.batch_id, row.attempt, row.owner, row.root_id, task_id
    )  # fmt: skip


def recordings(conn: Connection, claim: Claim) -> list[int]:
    """The recordings that a unit is about, by id; of many the first few."""
    found = conn.execute(
        text("""
            SELECT DISTINCT a.recording_id
              FROM (SELECT alignment_id FROM group_members WHERE group_id = :group
                    UNION SELECT alignment_id FROM batch_members WHERE batch_id = :batch) m
              JOIN alignments a ON a.id = m.alignment_id
             ORDER BY a.recording_id LIMIT :named
        """),
        {"group": claim.group_id, "batch": claim.batch_id, "named": NAMED},
    )
    return list(found.scalars())


def finish(
    conn: Connection,
    claim: Claim,
    summary: str,
    *,
    artifact: tuple[str, str, int] | None = None,
) -> None:
    """Mark the stage done inside the transaction that writes its results; raises `LeaseLost` when it is no longer ours.

    `artifact` is (url, sha256, bytes) of the object written for the next stage. Call it first in the transaction: it
    locks the row, so that a second finisher waits here and then fails.
    """
    claim.lease.check(conn)
    url, sha256, size = artifact or (None, None, None)
    conn.execute(
        text("""
            UPDATE stages
               SET state = 'done', owner = NULL, lease_until = NULL, finished_at = now(), summary = :summary,
                   artifact_url = :url, artifact_sha256 = :sha256, artifact_bytes = :size,
                   error_code = NULL, error = NULL, traceback = NULL
             WHERE id = :id
        """),
        {"id": claim.stage_id, "summary": summary, "url": url, "sha256": sha256, "size": size},
    )


def fail(conn: Connection, claim: Claim, exc: Exception, *, max_tries: int) -> str | None:
    """Give a stage back after an error; returns what became of it (`settle`), None if it is no longer ours."""
    try:
        claim.lease.check(conn)
    except LeaseLost:
        return None
    verdict = settle(conn, claim.stage_id, failures.failure(exc), max_tries=max_tries)
    if isinstance(exc, ArtifactBroken) and claim.batch_id is not None and verdict == "ready":
        restart_batch(conn, claim.batch_id, pause=claim.attempt > max_tries)
    return verdict
