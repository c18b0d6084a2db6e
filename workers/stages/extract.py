"""extract: audio and text of a batch → speech frames and token vectors, one object."""

import time
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from celery import Task
from sqlalchemy import Connection

from ml.errors import RecordingError
from workers.app import app
from workers.archives.files import check_unchanged
from workers.ledger.claims import Claim
from workers.stages import batch
from workers.stages.batch import Item
from workers.stages.runner import Outcome, run
from workers.telling import Tell

if TYPE_CHECKING:
    from ml.inference.engine import UtteranceAudio


@app.task(bind=True, name="extract.batch")
def extract_batch(self: "Task[Any, Any]", *, stage_id: int, job: int) -> str:
    """Run the encoders over one batch."""
    return run(self, stage_id, _work)


def _work(claim: Claim, tell: Tell) -> Outcome:
    started = time.monotonic()
    items: list[Item] = []
    utterances: list[UtteranceAudio] = []
    failed: dict[int, RecordingError] = {}
    recordings = [list(group) for _, group in groupby(batch.items(claim), key=lambda item: item.alignment_id)]
    for number, own in enumerate(recordings, 1):
        tell(f"cutting recording {number} of {len(recordings)}")
        try:
            utterances += _cut(own)
            items += own
        except RecordingError as exc:
            # The file was sound when it was aligned: somebody has changed or removed it since.
            failed[own[0].alignment_id] = exc
    seconds = sum(item.end_s - item.start_s for item in items)
    tell(f"encoding {len(items)} utterances, {seconds / 60:.1f} min")
    stored = batch.store(claim, batch.models(claim).extract(utterances).to_tensors()) if items else None

    def commit(conn: Connection) -> Sequence[int]:
        if not items and not failed:
            batch.close_empty(conn, claim)
            return ()
        if failed and not batch.drop(conn, claim, failed):
            return ()
        return batch.make_next_ready(conn, claim)

    lost = f", {len(failed)} recordings lost" if failed else ""
    return Outcome(
        batch.line(claim, str(len(items)), items, started) + lost,
        commit,
        stored,
    )


def _cut(own: "Sequence[Item]") -> "list[UtteranceAudio]":
    """The samples of one recording's utterances, in order."""
    from ml.audio.decode import SAMPLE_RATE, channel_samples, decode
    from ml.inference.engine import UtteranceAudio

    first = own[0]
    begin, end = first.start_s, max(item.end_s for item in own)
    with first.here():
        check_unchanged(first.audio, first.size_bytes, first.mtime_ns, first.sha256)
        # A batch may hold a small part of a long recording: only that part is kept.
        samples = decode(first.audio, begin, end)
    cut = []
    for item in own:
        start, stop = (round((second - begin) * SAMPLE_RATE) for second in (item.start_s, item.end_s))
        cut.append(UtteranceAudio(channel_samples(samples[:, start:stop], item.channel), item.text, item.language))
    return cut
