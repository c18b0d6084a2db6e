"""Cutting a unit in two when something in it ends the process without a word, until the culprit is alone."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text

from workers.ledger.failures import Failure
from workers.ledger.units import Member, add_batch, add_group


@dataclass(frozen=True, slots=True)
class Unit:
    """What a stage works on: the recordings of a group that are not aligned yet, or the utterances of a batch."""

    stage_id: int
    job_id: int
    group_id: int | None
    batch_id: int | None
    root_id: uuid.UUID
    task_id: uuid.UUID | None
    attempt: int
    tries: int
    halvings: int
    #: Recordings or utterances; 1 for a walk, which has no parts.
    size: int


def unit_of(conn: Connection, stage_id: int) -> Unit:
    """The unit of a stage."""
    row = conn.execute(
        text("""
            SELECT s.id, s.job_id, s.group_id, s.batch_id, s.root_id, s.task_id, s.attempt, s.tries,
                   coalesce(g.halvings, b.halvings, 0) AS halvings,
                   CASE WHEN s.group_id IS NOT NULL THEN
                            (SELECT count(*) FROM group_members m JOIN alignments a ON a.id = m.alignment_id
                              WHERE m.group_id = s.group_id AND a.state = 'pending')
                        WHEN s.batch_id IS NOT NULL THEN
                            (SELECT sum(last_no - first_no + 1) FROM batch_members m WHERE m.batch_id = s.batch_id)
                        ELSE 1 END AS size
              FROM stages s LEFT JOIN groups g ON g.id = s.group_id LEFT JOIN batches b ON b.id = s.batch_id
             WHERE s.id = :id
        """),
        {"id": stage_id},
    ).one()
    return Unit(
        row.id, row.job_id, row.group_id, row.batch_id, row.root_id, row.task_id, row.attempt, row.tries,
        row.halvings, int(row.size or 0),
    )  # fmt: skip


def halve(conn: Connection, unit: Unit, failure: Failure) -> None:
    """Put two new units in the place of one; its own stages are cancelled and say why."""
    conn.execute(
        text("""
            UPDATE stages
               SET state = 'cancelled', owner = NULL, lease_until = NULL, finished_at = now(),
                   error_code = :code, error = :error, traceback = :traceback
             WHERE state IN ('waiting', 'ready', 'running')
               AND (id = :id OR batch_id = CAST(:batch AS bigint))
        """),
        {
            "id": unit.stage_id,
            "batch": unit.batch_id,
            "code": failure.code,
            "error": f"Cut in two to find what did this: {failure.sentence}",
            "traceback": failure.traceback,
        },
    )
    if unit.group_id is not None:
        _halve_group(conn, unit)
    else:
        _halve_batch(conn, unit)


def _halve_group(conn: Connection, unit: Unit) -> None:
    rows = conn.execute(
        text("""
            SELECT a.id, coalesce(r.duration_s, 0) AS seconds
              FROM group_members m JOIN alignments a ON a.id = m.alignment_id AND a.state = 'pending'
              JOIN recordings r ON r.id = a.recording_id
             WHERE m.group_id = :group ORDER BY m.position
        """),
        {"group": unit.group_id},
    ).all()
    members = [(row.id, row.seconds) for row in rows]
    middle = len(members) // 2
    for half in (members[:middle], members[middle:]):
        add_group(conn, unit.job_id, half, unit.root_id, unit.task_id, halvings=unit.halvings + 1)


def _halve_batch(conn: Connection, unit: Unit) -> None:
    version_id = conn.execute(
        text("UPDATE batches SET finished_at = now() WHERE id = :batch RETURNING profile_version_id"),
        {"batch": unit.batch_id},
    ).scalar_one()
    rows = conn.execute(
        text("DELETE FROM batch_members WHERE batch_id = :batch RETURNING alignment_id, first_no, last_no"),
        {"batch": unit.batch_id},
    ).all()
    members = sorted(Member(row.alignment_id, row.first_no, row.last_no) for row in rows)
    for half in _cut(members, unit.size // 2):
        seconds = conn.execute(
            text("""
                SELECT coalesce(sum(u.end_s - u.start_s), 0)
                  FROM utterances u
                  JOIN unnest(CAST(:ids AS bigint[]), CAST(:firsts AS int[]), CAST(:lasts AS int[]))
                       AS m(id, first, last)
                    ON u.alignment_id = m.id AND u.utterance_no BETWEEN m.first AND m.last
            """),
            {"ids": [m.alignment_id for m in half], "firsts": [m.first for m in half], "lasts": [m.last for m in half]},
        ).scalar_one()
        add_batch(
            conn, unit.job_id, version_id, half, float(seconds), unit.root_id, unit.task_id,
            halvings=unit.halvings + 1,
        )  # fmt: skip


def _cut(members: Sequence[Member], count: int) -> tuple[list[Member], list[Member]]:
    """The first `count` utterances, and the others."""
    left: list[Member] = []
    right: list[Member] = []
    for member in members:
        size = member.last - member.first + 1
        taken = min(count, size)
        if taken:
            left.append(Member(member.alignment_id, member.first, member.first + taken - 1))
        if taken < size:
            right.append(Member(member.alignment_id, member.first + taken, member.last))
        count -= taken
    return left, right
