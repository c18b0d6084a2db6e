"""ter: token vectors of a batch → probabilities by words."""

import time
from typing import Any

from celery import Task

from workers.app import app
from workers.claims import Claim
from workers.stages import batch
from workers.stages.runner import Outcome, run


@app.task(bind=True, name="ter.batch")
def ter_batch(self: "Task[Any, Any]", *, stage_id: int, job: int) -> str:
    """Apply the text emotion model to one batch."""
    return run(self, stage_id, _work)


def _work(claim: Claim) -> Outcome:
    import numpy as np

    from ml.inference.extract import Extract

    started = time.monotonic()
    extract = Extract.from_tensors(batch.earlier(claim, "extract"))
    probabilities = batch.models(claim).text(extract)
    stored = batch.store(claim, {"probabilities": probabilities})
    with_text = int((~np.isnan(probabilities).all(axis=1)).sum())
    return Outcome(
        f"{with_text} of {len(probabilities)} utterances by words, {time.monotonic() - started:.1f} s",
        lambda conn: batch.make_next_ready(conn, claim),
        stored,
    )
