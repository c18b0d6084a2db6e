"""What the four stages of a batch share: its utterances, its profile version, its earlier objects."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, text

from db.states import next_stage
from ml.errors import RecordingError
from workers import artifacts, context
from workers.archives import roots
from workers.archives.files import located
from workers.errors import ArtifactBroken
from workers.jobs.scoring import complete
from workers.ledger.claims import Claim
from workers.ledger.failures import sentence

if TYPE_CHECKING:
    from ml.inference.engine import Engine as Inference


@dataclass(frozen=True, slots=True)
class Item:
    """One utterance of a batch, in the batch's fixed order."""

    alignment_id: int
    utterance_no: int
    speaker_id: int
    channel: int | None
    start_s: float
    end_s: float
    text: str | None
    language: str | None
    audio: Path
    #: What the audio file was when it was enqueued.
    size_bytes: int
    mtime_ns: int
    sha256: str
    #: While it lasts, the audio can be read. Raises a `RecordingError` or `StoreUnavailable`.
    here: Callable[[], AbstractContextManager[None]] = nullcontext


def items(claim: Claim) -> list[Item]:
    """The batch's utterances, in an order that every stage sees alike."""
    with context.engine().connect() as conn:
        rows = conn.execute(
            text(f"""
                SELECT u.alignment_id, u.utterance_no, u.speaker_id, u.channel, u.start_s, u.end_s, u.text, u.language,
                       {roots.COLUMNS}
                  FROM batch_members m
                  JOIN utterances u ON u.alignment_id = m.alignment_id
                                   AND u.utterance_no BETWEEN m.first_no AND m.last_no
                  JOIN alignments a ON a.id = m.alignment_id {roots.OF_ALIGNMENT}
                 WHERE m.batch_id = :batch
                 ORDER BY u.alignment_id, u.utterance_no
            """),
            {"batch": claim.batch_id},
        ).all()
    root = roots.finder(context.settings())
    return [
        Item(
            row.alignment_id,
            row.utterance_no,
            row.speaker_id,
            row.channel,
            row.start_s,
            row.end_s,
            row.text,
            row.language,
            located(root(row).folder, row.path),
            row.size_bytes,
            row.mtime_ns,
            row.sha256,
            partial(root(row).here, row.path),
        )
        for row in rows
    ]


def speaker_vectors(claim: Claim, batch: Sequence[Item]) -> NDArray[np.float32]:
    """The vector [N, VECTOR] of each utterance's speaker; alignments of older versions of Tenor know no usual voice."""
    from ml.features.speaker import whole_vector

    with context.engine().connect() as conn:
        rows = conn.execute(
            text("""
                SELECT s.alignment_id, s.speaker_id, s.embedding, s.usual
                  FROM alignment_speakers s
                 WHERE s.alignment_id IN (SELECT alignment_id FROM batch_members WHERE batch_id = :batch)
            """),
            {"batch": claim.batch_id},
        ).all()
    known = {(row.alignment_id, row.speaker_id): whole_vector(row.embedding, row.usual or ()) for row in rows}
    return np.stack([known[item.alignment_id, item.speaker_id] for item in batch])


def version(claim: Claim) -> tuple[int, str, dict[str, Any]]:
    """(id, fingerprint, specification) of the profile version that the batch was cut for."""
    with context.engine().connect() as conn:
        row = conn.execute(
            text("""
                SELECT v.id, v.fingerprint, v.spec FROM batches b JOIN profile_versions v ON v.id = b.profile_version_id
                 WHERE b.id = :batch
            """),
            {"batch": claim.batch_id},
        ).one()
    return row.id, row.fingerprint, row.spec


def line(claim: Claim, utterances: str, batch: Sequence[Item], started: float) -> str:
    """What a stage came to, short as a column: "512 utterances, 38.2 min, 41.0 s, mini v7"; minutes of speech."""
    with context.engine().connect() as conn:
        row = conn.execute(
            text("""
                SELECT p.name, v.version FROM batches b
                  JOIN profile_versions v ON v.id = b.profile_version_id JOIN profiles p ON p.id = v.profile_id
                 WHERE b.id = :batch
            """),
            {"batch": claim.batch_id},
        ).one()
    minutes = sum(item.end_s - item.start_s for item in batch) / 60
    spent_s = time.monotonic() - started
    return f"{utterances} utterances, {minutes:.1f} min, {spent_s:.1f} s, {row.name} v{row.version}"


def models(claim: Claim) -> "Inference":
    """The loaded models of the batch's profile version."""
    _, fingerprint, spec = version(claim)
    return context.models(fingerprint, spec)


def store(claim: Claim, tensors: artifacts.Tensors) -> artifacts.Stored:
    """Write this stage's object."""
    assert claim.batch_id is not None
    url = artifacts.batch_url(context.settings().artifacts, claim.batch_id, claim.stage, claim.attempt)
    return artifacts.write(url, tensors)


def earlier(claim: Claim, stage: str) -> artifacts.Tensors:
    """The object that an earlier stage of this batch wrote; raises `ArtifactBroken`."""
    with context.engine().connect() as conn:
        row = conn.execute(
            text("""
                SELECT artifact_url, artifact_sha256, artifact_bytes FROM stages
                 WHERE batch_id = :batch AND stage = :stage AND state = 'done'
            """),
            {"batch": claim.batch_id, "stage": stage},
        ).one_or_none()
    if row is None or row.artifact_url is None:
        raise ArtifactBroken(f"the {stage} stage of this batch has left no object")
    return artifacts.read((row.artifact_url, row.artifact_sha256, row.artifact_bytes))


def probabilities(claim: Claim, stage: str) -> NDArray[np.float64]:
    """The probabilities [N, 7] that an earlier stage of this batch wrote."""
    return np.asarray(earlier(claim, stage)["probabilities"], dtype=np.float64)


def drop(conn: Connection, claim: Claim, failed: Mapping[int, RecordingError]) -> bool:
    """Take recordings out of the batch whose audio cannot be read any more; True when utterances are left.

    Their error is their result; later stages see the batch without them.
    """
    for alignment_id, exc in failed.items():
        values = {"batch": claim.batch_id, "a": alignment_id, "code": exc.code, "error": sentence(exc)}
        version_id = conn.execute(
            text("""
                DELETE FROM batch_members WHERE batch_id = :batch AND alignment_id = :a RETURNING profile_version_id
            """),
            values,
        ).scalars().first()  # fmt: skip
        values["version"] = version_id
        conn.execute(
            text("""
                UPDATE recording_scores SET state = 'failed'
                 WHERE alignment_id = :a AND profile_version_id = :version AND state = 'pending'
            """),
            values,
        )
        conn.execute(
            text("""
                UPDATE job_recordings SET state = 'failed', error_code = :code, error = :error
                 WHERE alignment_id = :a AND profile_version_id = :version AND state = 'scoring'
            """),
            values,
        )
    left = conn.execute(
        text("""
            UPDATE batches b SET utterances = m.n, finished_at = CASE WHEN m.n = 0 THEN now() END
              FROM (SELECT coalesce(sum(last_no - first_no + 1), 0) AS n FROM batch_members WHERE batch_id = :batch) m
             WHERE b.id = :batch RETURNING m.n
        """),
        {"batch": claim.batch_id},
    ).scalar_one()
    if not left:
        conn.execute(
            text("UPDATE stages SET state = 'cancelled' WHERE batch_id = :batch AND state = 'waiting'"),
            {"batch": claim.batch_id},
        )
    return bool(left)


def close_empty(conn: Connection, claim: Claim) -> None:
    """End a batch that nothing is left of, because all of it was erased; its recordings may be done with that."""
    members = conn.execute(
        text("DELETE FROM batch_members WHERE batch_id = :batch RETURNING alignment_id, profile_version_id"),
        {"batch": claim.batch_id},
    ).all()
    conn.execute(
        text("UPDATE batches SET finished_at = now(), utterances = 0 WHERE id = :batch"), {"batch": claim.batch_id}
    )
    conn.execute(
        text("UPDATE stages SET state = 'cancelled' WHERE batch_id = :batch AND state = 'waiting'"),
        {"batch": claim.batch_id},
    )
    for version_id in {row.profile_version_id for row in members}:
        complete(conn, version_id, [row.alignment_id for row in members])


def make_next_ready(conn: Connection, claim: Claim) -> Sequence[int]:
    """Make the following stage of the batch ready, as a child of this task."""
    rows = conn.execute(
        text("""
            UPDATE stages SET state = 'ready', ready_at = now(), parent_id = :parent, sent_at = NULL
             WHERE batch_id = :batch AND stage = :stage AND state = 'waiting' RETURNING id
        """),
        {"batch": claim.batch_id, "stage": next_stage(claim.stage), "parent": claim.task_id},
    )
    return [row.id for row in rows]
