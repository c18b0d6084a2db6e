"""fuse: both sides of a batch → probabilities in Postgres, roll-ups, and what is done with it."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from celery import Task
from sqlalchemy import Connection, text

from workers import artifacts, context
from workers.app import app
from workers.ledger.claims import Claim
from workers.stages import batch
from workers.stages.runner import Outcome, run
from workers.telling import Tell

if TYPE_CHECKING:
    from db.scores import ScoreBlock


@app.task(bind=True, name="fuse.batch")
def fuse_batch(self: "Task[Any, Any]", *, stage_id: int, job: int) -> str:
    """Fuse one batch's scores and commit them."""
    return run(self, stage_id, _work)


def _work(claim: Claim, _tell: Tell) -> Outcome:
    from db.scores import ScoreBlock
    from ml.inference.extract import Extract

    started = time.monotonic()
    assert claim.batch_id is not None
    version_id, fingerprint, spec = batch.version(claim)
    items = batch.items(claim)
    speech = batch.probabilities(claim, "ser")
    words = batch.probabilities(claim, "ter")
    quality = Extract.from_tensors(batch.earlier(claim, "extract")).quality
    block = ScoreBlock(
        profile_version_id=version_id,
        batch_id=claim.batch_id,
        keys=[(item.alignment_id, item.utterance_no) for item in items],
        speech=speech,
        text=words,
        fused=context.models(fingerprint, spec).fuse(speech, words),
        quality=quality,
    )
    batch_id = claim.batch_id
    return Outcome(
        batch.line(claim, str(len(items)), items, started),
        lambda conn: _commit(conn, block),
        after=lambda: artifacts.remove_batch(context.settings().artifacts, batch_id),
    )


def _commit(conn: Connection, block: "ScoreBlock") -> Sequence[int]:
    from db.scores import roll_up, write_scores

    write_scores(conn, block)
    conn.execute(text("UPDATE batches SET finished_at = now() WHERE id = :b"), {"b": block.batch_id})
    version, ids = block.profile_version_id, sorted({alignment for alignment, _ in block.keys})
    # Two batches of one recording may finish together: the second waits here and sees the first.
    conn.execute(
        text("""
            SELECT FROM recording_scores WHERE profile_version_id = :v AND alignment_id = ANY(:ids)
             ORDER BY alignment_id FOR UPDATE
        """),
        {"v": version, "ids": ids},
    )
    complete = [
        row.alignment_id
        for row in conn.execute(
            text("""
                SELECT r.alignment_id FROM recording_scores r
                 WHERE r.profile_version_id = :v AND r.alignment_id = ANY(:ids) AND r.state = 'pending'
                   AND NOT EXISTS (SELECT FROM batch_members m JOIN batches b ON b.id = m.batch_id
                                    WHERE m.alignment_id = r.alignment_id AND m.profile_version_id = :v
                                      AND b.finished_at IS NULL)
            """),
            {"v": version, "ids": ids},
        )
    ]
    roll_up(conn, complete, version)
    conn.execute(
        text("""
            UPDATE job_recordings SET state = 'done'
             WHERE alignment_id = ANY(:ids) AND profile_version_id = :v AND state = 'scoring'
        """),
        {"v": version, "ids": complete},
    )
    # A job may ask that text is not kept. Its alignments are its own kind, so nobody else's text goes.
    conn.execute(
        text("""
            UPDATE utterances u SET text = NULL FROM alignments a
             WHERE a.id = u.alignment_id AND a.id = ANY(:ids) AND a.options ->> 'keep_text' = 'false'
        """),
        {"ids": complete},
    )
    return ()
