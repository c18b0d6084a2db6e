"""Cutting work into units: recordings into groups for align, utterances into batches for the models."""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text

from db.states import BATCH_STAGES


@dataclass(frozen=True, slots=True)
class Aligned:
    """An alignment to be scored: the length of each of its utterances in seconds, by number."""

    alignment_id: int
    seconds: Sequence[float]


@dataclass(frozen=True, slots=True, order=True)
class Member:
    """A run of an alignment's utterances, both ends inclusive."""

    alignment_id: int
    first: int
    last: int


def add_group(
    conn: Connection,
    job_id: int,
    members: Sequence[tuple[int, float]],
    root_id: uuid.UUID,
    parent_id: uuid.UUID | None,
    *,
    halvings: int = 0,
) -> None:
    """Make an align unit of (alignment, seconds) and its stage, which waits for the dispatcher."""
    group = conn.execute(
        text("INSERT INTO groups (job_id, seconds, halvings) VALUES (:job, :seconds, :halvings) RETURNING id"),
        {"job": job_id, "seconds": sum(seconds for _, seconds in members), "halvings": halvings},
    ).scalar_one()
    conn.execute(
        text("INSERT INTO group_members (group_id, alignment_id, position) VALUES (:group, :alignment, :position)"),
        [{"group": group, "alignment": a, "position": i} for i, (a, _) in enumerate(members)],
    )
    conn.execute(
        text("""
            INSERT INTO stages (stage, job_id, group_id, state, root_id, parent_id)
            VALUES ('align', :job, :group, 'waiting', :root, :parent)
        """),
        {"job": job_id, "group": group, "root": root_id, "parent": parent_id},
    )


def add_batch(
    conn: Connection,
    job_id: int,
    version_id: int,
    members: Sequence[Member],
    seconds: float,
    root_id: uuid.UUID,
    parent_id: uuid.UUID | None,
    *,
    halvings: int = 0,
) -> None:
    """Make a batch and its stages, which wait for the dispatcher.

    A constraint keeps every utterance in one batch per version.
    """
    batch = conn.execute(
        text("""
            INSERT INTO batches (job_id, profile_version_id, utterances, seconds, halvings)
            VALUES (:job, :version, :utterances, :seconds, :halvings) RETURNING id
        """),
        {
            "job": job_id,
            "version": version_id,
            "utterances": sum(m.last - m.first + 1 for m in members),
            "seconds": seconds,
            "halvings": halvings,
        },
    ).scalar_one()
    conn.execute(
        text("""
            INSERT INTO batch_members (batch_id, alignment_id, first_no, last_no, profile_version_id)
            VALUES (:batch, :alignment, :first, :last, :version)
        """),
        [
            {"alignment": m.alignment_id, "first": m.first, "last": m.last, "batch": batch, "version": version_id}
            for m in members
        ],
    )
    conn.execute(
        text("""
            INSERT INTO stages (stage, job_id, batch_id, state, root_id, parent_id)
            VALUES (:stage, :job, :batch, 'waiting', :root, :parent)
        """),
        [
            {"stage": stage, "job": job_id, "batch": batch, "root": root_id, "parent": parent_id}
            for stage in BATCH_STAGES
        ],
    )


def add_batches(
    conn: Connection,
    job_id: int,
    version_id: int,
    alignments: Iterable[Aligned],
    batch_s: float,
    root_id: uuid.UUID | None,
    parent_id: uuid.UUID | None,
) -> None:
    """Cut alignments into batches of at most `batch_s` seconds of speech.

    Short recordings share a batch, a long one fills several. Only alignments that no batch of this version covers yet
    may be given. Without a root, every batch begins a chain of its own.
    """
    members: list[Member] = []
    total = 0.0

    def flush() -> None:
        nonlocal total
        if members:
            add_batch(conn, job_id, version_id, members, total, root_id or uuid.uuid4(), parent_id)
        members.clear()
        total = 0.0

    for aligned in alignments:
        first = 0
        for number, seconds in enumerate(aligned.seconds):
            if total and total + seconds > batch_s:
                if number > first:
                    members.append(Member(aligned.alignment_id, first, number - 1))
                flush()
                first = number
            total += seconds
        members.append(Member(aligned.alignment_id, first, len(aligned.seconds) - 1))
    flush()
