"""ter: token vectors of a batch → probabilities by words."""

import time
from typing import Any

from celery import Task

from workers.app import app
from workers.ledger.claims import Claim
from workers.stages import batch
from workers.stages.runner import Outcome, run
from workers.telling import Tell


@app.task(bind=True, name="ter.batch")
def ter_batch(self: "Task[Any, Any]", *, stage_id: int, job: int) -> str:
    """Apply the text emotion model to one batch."""
    return run(self, stage_id, _work)


def _work(claim: Claim, _tell: Tell) -> Outcome:
    import numpy as np

    from ml.inference.extract import Extract

    started = time.monotonic()
    extract = Extract.from_tensors(batch.earlier(claim, "extract"))
    probabilities = batch.models(claim).text(extract)
    stored = batch.store(claim, {"probabilities": probabilities})
    with_text = int((~np.isnan(probabilities).all(axis=1)).sum())
    return Outcome(
        batch.line(claim, f"{with_text} of {len(probabilities)}", batch.items(claim), started),
        lambda conn: batch.make_next_ready(conn, claim),
        stored,
    )
