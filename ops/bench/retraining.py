"""How much a retraining run slows analysis down: the same analysis alone and during a run, in pairs, in one go.

    python -m ops.bench.retraining [--pairs 4] [--nice 10]

Baseline: analysis alone. The bundled calls are analysed again and again, with a breath of noise that makes every copy
new, while a run trains the top of the bundled speech model; for the measurement alone its process is stopped for as
long. `share` is the part of all cores that the run's process had meanwhile, `entitled` the part that its threads would
be due if it did not step back. Other work on the machine slows both of a pair. The last line is one JSON object.
"""

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from sqlalchemy import Engine, text

from db.engine import make_engine
from ml.audio.decode import SAMPLE_RATE, decode
from ops.local import known
from ops.samples import ARCHIVE
from ops.samples.acted import write_corpus, write_labels
from workers.settings import Settings

#: A run that is stopped does not renew its lease.
SETTINGS = {"TENOR_RETRAIN_TICK_S": "2", "TENOR_SWEEP_S": "2", "TENOR_LEASE_S": "3600"}
#: The stage that computes most, for longer than all measurements.
TRAINING = ("--set", "head_steps=1", "--set", "encoder_steps=1000000", "--set", "save_every=1000000")
LOOK_S = 0.1
PATIENCE_S = 1800.0


@dataclass(frozen=True, slots=True)
class Home:
    """A home with everything running in it, and the command to talk to it."""

    folder: Path
    nice: int

    def tenor(self, *arguments: str) -> Any:
        """What a command answers in JSON."""
        plain = {name: value for name, value in os.environ.items() if not name.startswith("TENOR_")}
        own = SETTINGS | {"TENOR_HOME": str(self.folder), "TENOR_RETRAIN_NICE": str(self.nice)}
        command = [sys.executable, "-m", "ops.cli", *arguments, "--json"]
        done = subprocess.run(command, env=plain | own, stdout=subprocess.PIPE, check=True)
        return json.loads(done.stdout)

    def engine(self) -> Engine:
        """Its database."""
        services = known(Settings(home=self.folder))
        assert services is not None
        return make_engine(services.database_url, pooled=True)


@dataclass(frozen=True, slots=True)
class Taken:
    """One analysis: seconds of sound per second, and the cores that the run had meanwhile."""

    rate: float
    run_cores: float


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=4, help="of analyses, one alone and one during the run")
    parser.add_argument("--nice", type=int, default=Settings.model_fields["retrain_nice"].default)
    arguments = parser.parse_args()
    with _home(arguments.nice) as home:
        pairs = list(measure(home, arguments.pairs))
    cores, threads = os.cpu_count() or 1, Settings().torch_threads
    ratios = [during.rate / alone.rate for alone, during in pairs]
    ratio = statistics.median(ratios)
    share = statistics.median(during.run_cores for _, during in pairs) / cores
    print(
        json.dumps(
            {
                "benchmark": "retraining",
                "cores": cores,
                "nice": arguments.nice,
                "alone_x": round(statistics.median(alone.rate for alone, _ in pairs), 2),
                "during_x": round(statistics.median(during.rate for _, during in pairs), 2),
                "ratios": [round(one, 3) for one in ratios],
                "ratio": round(ratio, 3),
                "share": round(share, 3),
                "entitled": round(threads / cores, 3),
                "slowed_by_no_more_than_entitled": 1 - ratio <= threads / cores,
            }
        )
    )


def measure(home: Home, pairs: int) -> Iterator[tuple[Taken, Taken]]:
    """(alone, during) of every pair; which of them comes first alternates."""
    folder = home.folder.parent
    archives = iter(_archive(folder / f"calls-{number}", number) for number in range(2 * pairs + 1))
    home.tenor("up")
    engine = home.engine()
    pid = _training(home, engine, folder)
    with _paused(pid):
        # The first one loads models; nobody counts it.
        _analysed(home, engine, next(archives), pid)
    for number in range(pairs):
        taken: dict[bool, Taken] = {}
        for alone in (True, False) if number % 2 == 0 else (False, True):
            archive = next(archives)
            if alone:
                with _paused(pid):
                    taken[alone] = _analysed(home, engine, archive, pid)
            else:
                taken[alone] = _analysed(home, engine, archive, pid)
        found = taken[True], taken[False]
        print(
            f"pair {number + 1}: alone {found[0].rate:.2f} x real time, during a run {found[1].rate:.2f} x;"
            f" the run had {found[1].run_cores:.2f} cores",
            flush=True,
        )
        yield found
    engine.dispose()


def _archive(folder: Path, number: int) -> Path:
    """The bundled calls with their transcripts and a breath of noise, so that no work is reused."""
    folder.mkdir()
    for transcript in sorted(ARCHIVE.glob("*.txt")):
        sound = decode(transcript.with_suffix(".ogg"))
        noise = np.random.default_rng(number).normal(0, 1e-4, sound.shape)
        soundfile.write(folder / f"{transcript.stem}.wav", (sound + noise).T.astype(np.float32), SAMPLE_RATE)
        shutil.copyfile(transcript, folder / transcript.name)
    return folder


def _training(home: Home, engine: Engine, folder: Path) -> int:
    """Start a run and wait until it trains; returns the process that does."""
    clips = write_corpus(folder / "labelled", [f"caller-{n:02}" for n in range(12)], 3, "telephone")
    write_labels(clips, folder / "labels.csv")
    job = home.tenor("enqueue", str(folder / "labelled"))["job_id"]
    _until(lambda: _ended(engine, job), "the labelled archive is analysed")
    home.tenor("corpus", "import", "csv", str(folder / "labels.csv"))
    run = home.tenor("retrain", "--now", "--by-hand", "--trust-labels", *TRAINING)["run"]

    def owner() -> str | None:
        with engine.connect() as conn:
            row = conn.execute(
                text("""
                    SELECT state, owner, reason, error, progress ->> 'doing' AS doing FROM training_runs WHERE id = :r
                """),
                {"r": run},
            ).one()
        if row.state in {"refused", "failed"}:
            raise SystemExit(f"the run ended: {row.reason or row.error}")
        return row.owner if row.doing == "training: encoder" else None

    return int(str(_until(owner, "the run trains")).split("/")[2])


def _analysed(home: Home, engine: Engine, archive: Path, pid: int) -> Taken:
    before, began = _processor_s(pid), time.monotonic()
    job = home.tenor("enqueue", str(archive))["job_id"]
    _until(lambda: _ended(engine, job), f"job {job} ends")
    run_cores = (_processor_s(pid) - before) / (time.monotonic() - began)
    with engine.connect() as conn:
        rate = conn.execute(
            text("""
                SELECT sum(r.duration_s) / extract(epoch FROM max(j.finished_at) - max(j.created_at))
                  FROM jobs j JOIN job_recordings l ON l.job_id = j.id JOIN recordings r ON r.id = l.recording_id
                 WHERE j.id = :j AND l.state = 'done'
            """),
            {"j": job},
        ).scalar_one()
    return Taken(float(rate), run_cores)


def _ended(engine: Engine, job: int) -> bool:
    with engine.connect() as conn:
        state = conn.execute(text("SELECT state FROM jobs WHERE id = :j"), {"j": job}).scalar_one()
    return state in {"done", "failed", "cancelled"}


def _until(condition: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(LOOK_S)
    raise SystemExit(f"{what}: not within {PATIENCE_S:.0f} s")


@contextmanager
def _paused(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def _processor_s(pid: int) -> float:
    """Processor seconds that a process has had."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def _home(nice: int) -> Iterator[Home]:
    folder = Path(tempfile.mkdtemp(prefix="tenor-bench-"))
    folder.chmod(0o755)
    home = Home(folder / "home", nice)
    try:
        yield home
    finally:
        home.tenor("down")
        # For root the data lies outside of the home, where Postgres' user can reach it.
        shutil.rmtree((home.folder / "postgres").resolve(), ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
