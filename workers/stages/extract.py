"""extract: audio and text of a batch → speech frames and token vectors, one object."""

import time
from itertools import groupby
from typing import Any

from celery import Task

from workers.app import app
from workers.claims import Claim
from workers.stages import batch
from workers.stages.runner import Outcome, run


@app.task(bind=True, name="extract.batch")
def extract_batch(self: "Task[Any, Any]", *, stage_id: int, job: int) -> str:
    """Run the encoders over one batch."""
    return run(self, stage_id, _work)


def _work(claim: Claim) -> Outcome:
    from ml.audio.decode import SAMPLE_RATE, channel_samples, decode
    from ml.inference.engine import UtteranceAudio

    started = time.monotonic()
    items = batch.items(claim)
    utterances: list[UtteranceAudio] = []
    for (_, audio), group in groupby(items, key=lambda item: (item.alignment_id, item.audio)):
        own = list(group)
        begin, end = own[0].start_s, max(item.end_s for item in own)
        # A batch may hold a small part of a long recording: only that part is kept.
        samples = decode(audio, begin, end)
        for item in own:
            start, stop = (
                round((item.start_s - begin) * SAMPLE_RATE),
                round((item.end_s - begin) * SAMPLE_RATE),
            )
            utterances.append(
                UtteranceAudio(channel_samples(samples[:, start:stop], item.channel), item.text, item.language)
            )
    extracted = batch.models(claim).extract(utterances)
    seconds = sum(item.end_s - item.start_s for item in items)
    stored = batch.store(claim, extracted.to_tensors())
    return Outcome(
        f"{len(items)} utterances, {seconds / 60:.1f} min speech, {time.monotonic() - started:.1f} s",
        lambda conn: batch.make_next_ready(conn, claim),
        stored,
    )
