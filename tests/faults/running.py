"""Running the pipeline while faults are injected, and what came of it."""

import contextlib
import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import psycopg2

from tests.faults.injections import Fault
from tests.faults.oracle import Values, Verdict, judge
from tests.faults.rig import Rig

#: A run that takes longer hangs: the long archive takes some minutes, and several times that on a busy machine.
LONGEST_S = 1800.0


@dataclass
class Result:
    """One run under one kind of fault, or under many."""

    name: str
    times: int
    verdict: Verdict
    seconds: float
    #: From the end of each fault until every stage that was running then has moved on.
    recoveries_s: list[float] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Reference:
    """What a run without faults gives: every value, and the recordings that cannot be analysed, with their codes."""

    values: Values
    failed: dict[str, set[str]]


def reference(rig: Rig, archive: Path) -> Reference:
    """A run without faults; the rig is empty afterwards."""
    job_id = rig.enqueue(archive)
    state = rig.wait(job_id, LONGEST_S)
    found = Reference(
        rig.values(job_id),
        {
            row.path: {row.error_code}
            for row in rig.rows(
                "SELECT f.path, r.error_code FROM job_recordings r JOIN archive_files f ON f.id = r.file_id"
                " WHERE r.job_id = %(job)s AND r.state = 'failed'",
                job=job_id,
            )
        },
    )
    if state != "done" or not found.values:
        raise AssertionError(f"the run without faults ended as {state} with {len(found.values)} utterances")
    rig.reset()
    return found


def under(
    rig: Rig,
    archive: Path,
    expected: Reference,
    faults: Sequence[Fault],
    random: Random,
    *,
    pause_s: float = 1.5,
    failures: Mapping[str, Collection[str]] | None = None,
    name: str | None = None,
    overlapping: bool = False,
) -> Result:
    """Analyse the archive while the faults are injected one after the other, then judge; the rig is empty afterwards.

    Recordings have to fail that fail without faults, and those in `failures`, with one of their codes; no others.

    Faults that find nothing to break (the job has ended) are not counted. `overlapping` does not wait for the recovery
    from one before the next.
    """
    started = time.monotonic()
    result = Result(name or (faults[0].name if faults else "none"), 0, Verdict(), 0.0)

    def inject(fault: Fault) -> None:
        if fault.inject(rig, random):
            result.times += 1
            result.counts[fault.name] += 1
            if not overlapping:
                result.recoveries_s.append(_recovery(rig))

    with ThreadPoolExecutor(1) as aside:
        enqueued = aside.submit(rig.enqueue, archive)
        for fault in faults:
            if fault.early:
                inject(fault)
        job_id = enqueued.result()
    for fault in faults:
        if not fault.early:
            time.sleep(random.uniform(0.3, pause_s))
            if rig.ended(job_id):
                break
            inject(fault)
    rig.wait(job_id, LONGEST_S)
    rig.stop_others()
    _idle(rig)
    with rig.connected() as cursor:
        result.verdict = judge(cursor, job_id, expected.values, {**expected.failed, **(failures or {})})
    result.seconds = time.monotonic() - started
    rig.reset()
    return result


def one_upon_the_other(
    rig: Rig,
    archive: Path,
    expected: Reference,
    faults: Sequence[Fault],
    random: Random,
    *,
    pause_s: float,
    name: str | None = None,
) -> Iterator[Result]:
    """All the faults, without a wait for the recovery from one before the next.

    An archive that is done before the faults are is analysed once more, for the others; a result for each time.
    """
    left = list(faults)
    while left:
        result = under(rig, archive, expected, left, random, pause_s=pause_s, name=name, overlapping=True)
        yield result
        left = left[max(1, result.times) :]


def _recovery(rig: Rig) -> float:
    """Seconds until no stage that is running now is still in the same attempt."""
    began = time.monotonic()
    held: set[tuple[int, int]] | None = None

    def moved_on() -> bool:
        nonlocal held
        with contextlib.suppress(psycopg2.Error):
            running = {
                (row.id, row.attempt) for row in rig.rows("SELECT id, attempt FROM stages WHERE state = 'running'")
            }
            held = running if held is None else held & running
        return held is not None and not held

    rig.until(moved_on, 120, "the stages that ran at the time of the fault move on")
    return time.monotonic() - began


def _idle(rig: Rig) -> None:
    """Wait for what a late message or a paused worker may still do."""
    rig.until(
        lambda: not rig.rows("SELECT FROM stages WHERE state IN ('waiting', 'ready', 'running')"), 60, "nothing is left"
    )  # fmt: skip
    time.sleep(0.5)


def at_random(faults: Sequence[Fault], count: int, random: Random) -> list[Fault]:
    """So many faults by weight, from the seed."""
    return random.choices(faults, weights=[fault.weight for fault in faults], k=count)
