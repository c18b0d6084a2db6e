"""ser: speech frames of a batch → probabilities by voice."""

import time
from typing import Any

from celery import Task

from workers.app import app
from workers.ledger.claims import Claim
from workers.stages import batch
from workers.stages.runner import Outcome, run
from workers.telling import Tell


@app.task(bind=True, name="ser.batch")
def ser_batch(self: "Task[Any, Any]", *, stage_id: int, job: int) -> str:
    """Apply the speech emotion model to one batch."""
    return run(self, stage_id, _work)


def _work(claim: Claim, _tell: Tell) -> Outcome:
    from ml.inference.extract import Extract

    started = time.monotonic()
    items = batch.items(claim)
    extract = Extract.from_tensors(batch.earlier(claim, "extract"))
    probabilities = batch.models(claim).speech(extract, batch.speaker_vectors(claim, items))
    stored = batch.store(claim, {"probabilities": probabilities})
    return Outcome(
        batch.line(claim, str(len(items)), items, started),
        lambda conn: batch.make_next_ready(conn, claim),
        stored,
    )
