"""fuse: both sides of a batch → probabilities in Postgres, roll-ups, and what is done with it."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from celery import Task
from sqlalchemy import Connection, text

from workers import artifacts, context
from workers.app import app
from workers.jobs.scoring import complete
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
    from db.scores import write_scores

    write_scores(conn, block)
    conn.execute(text("UPDATE batches SET finished_at = now() WHERE id = :b"), {"b": block.batch_id})
    complete(conn, block.profile_version_id, sorted({alignment for alignment, _ in block.keys}))
    return ()
