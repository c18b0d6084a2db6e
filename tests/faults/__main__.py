"""Every fault, one after the other and then all at random: `make faults`.

Options come from the environment, as make passes them: SEED (a number; chosen and printed when absent), FAULTS (how
many random ones, 100), CORPORA (a folder of real recordings to break in place of the generated archive), ONLY (part
of the names of the faults to run).
"""

import json
import os
import random
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.faults import poison
from tests.faults.archive import make_archive
from tests.faults.injections import BY_NAME, FAULTS, Fault, can_mount, fill_disk, small_disk
from tests.faults.oracle import Verdict
from tests.faults.rig import LEASE_S, Rig
from tests.faults.running import Reference, Result, at_random, one_upon_the_other, reference, under

#: Recordings of the generated archives: for one fault each, and for the long random run.
SHORT, LONG = 224, 3400
#: Healthy ones around those that are not.
NEIGHBOURS = 40
RANDOM = "all at random, one upon the other"
TWICE = "two beats, sweepers and align workers, one killed"
FULL_DISK = "artifact disk full, then free again"
POISONED = "recordings that crash, eat memory, never end"


def main() -> int:
    seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(10**6))
    count = int(os.environ.get("FAULTS") or 100)
    only = os.environ.get("ONLY", "")
    corpora = os.environ.get("CORPORA")
    console = Console(stderr=True, width=120)
    console.print(f"seed {seed}: the same faults again with SEED={seed}")
    results: list[Result] = []

    def run(result: Result) -> None:
        results.append(result)
        console.print(_line(result))

    with tempfile.TemporaryDirectory(prefix="tenor-faults-") as folder:
        base = Path(folder)
        short = Path(corpora) if corpora else _made(base / "short", SHORT)
        with _rig(base / "plain") as rig:
            expected = reference(rig, short)
            console.print(f"without faults: {len(expected.values)} utterances, {len(expected.failed)} recordings fail")
            for number, fault in enumerate(FAULTS):
                if only in fault.name:
                    run(under(rig, short, expected, [fault] * fault.times, random.Random(f"{seed} {number}")))
            if only in TWICE:
                run(_doubled_services(rig, short, expected, seed))
            if only in FULL_DISK:
                run(_full_disk(rig, short, expected, seed))
            if only in RANDOM:
                long = short if corpora else _made(base / "long", LONG)
                expected_long = expected if corpora else reference(rig, long)
                dice = random.Random(seed)
                for result in one_upon_the_other(
                    rig, long, expected_long, at_random(FAULTS, count, dice), dice, pause_s=0.5, name=RANDOM
                ):
                    run(result)
        if only in POISONED:
            source = _made(base / "source", SHORT) if corpora else short
            healthy, sick = base / "healthy", base / "sick"
            poison.neighbours(healthy, source, NEIGHBOURS)
            failures = poison.plant(sick, source, poison.ALL, NEIGHBOURS)
            with _rig(base / "poisoned", planted=True) as rig:
                expected = reference(rig, healthy)
                result = under(rig, sick, expected, [], random.Random(seed), failures=failures, name=POISONED)
                result.times = len(failures)
                run(result)
    return _report(results, seed)


def _made(folder: Path, recordings: int) -> Path:
    make_archive(folder, recordings=recordings)
    return folder


@contextmanager
def _rig(folder: Path, *, planted: bool = False) -> Iterator[Rig]:
    rig = Rig(folder, planted=planted)
    try:
        yield rig
    finally:
        rig.close()


def _doubled_services(rig: Rig, archive: Path, expected: Reference, seed: int) -> Result:
    """A second beat, sweeper and align worker beside the first, and something for them to find."""
    for service in ("beat", "maintenance", "align"):
        rig.start_another(service)
    rig.until(lambda: rig.workers.log("maintenance-2").count("ready."), 30, "the second sweeper is ready")
    return under(rig, archive, expected, [BY_NAME["kill -9 of a child in extract"]], random.Random(seed), name=TWICE)


def _full_disk(rig: Rig, archive: Path, expected: Reference, seed: int) -> Result:
    if not can_mount():
        return Result(f"{FULL_DISK} (left out: only root can mount a small one)", 0, Verdict(), 0.0)
    with small_disk(rig.store):
        return under(rig, archive, expected, [Fault(FULL_DISK, fill_disk)] * 2, random.Random(seed))


def _line(result: Result) -> str:
    v = result.verdict
    state = "as without" if v else f"LOST {v.lost} DOUBLED {v.doubled} CHANGED {v.changed} {v.wrong[:5]}"
    return f"{result.name}: {result.times} times in {result.seconds:.0f} s, {state}"


def _report(results: list[Result], seed: int) -> int:
    table = Table("fault", "times", "recovery s, median", "longest", "lost", "doubled", "changed", "wrong")
    for r in results:
        some = r.recoveries_s
        table.add_row(
            r.name, str(r.times),
            f"{statistics.median(some):.1f}" if some else "", f"{max(some):.1f}" if some else "",
            str(r.verdict.lost), str(r.verdict.doubled), str(r.verdict.changed), str(len(r.verdict.wrong)),
        )  # fmt: skip
    Console(width=120).print(table)
    killed = [
        s
        for r in results
        if r.name.startswith("kill -9 of a") or r.name.startswith("kill -9 of the worker")
        for s in r.recoveries_s
    ]
    document = {
        "seed": seed,
        "faults": sum(r.times for r in results),
        "lost": sum(r.verdict.lost for r in results),
        "doubled": sum(r.verdict.doubled for r in results),
        "changed": sum(r.verdict.changed for r in results),
        "wrong": [sentence for r in results for sentence in r.verdict.wrong],
        "slowest_recovery_from_a_kill_s": round(max(killed), 1) if killed else None,
        "lease_s": LEASE_S,
    }
    print(json.dumps(document))
    return 0 if all(r.verdict for r in results) else 1


if __name__ == "__main__":
    sys.exit(main())
