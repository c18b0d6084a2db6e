"""One TENOR_HOME with everything running in it, and the command line to talk to it."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray
from redis import Redis
from sqlalchemy import text

from db.engine import make_engine
from ops.local import known
from ops.local.home import read_secrets
from ops.local.services import Services
from tests.waiting import until
from workers.settings import Settings

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "ops" / "samples" / "archive"

#: Small units and short intervals, so that a test sees many batches and a quick sweep.
SETTINGS = {
    "TENOR_BATCH_S": "20",
    "TENOR_OPEN_BATCHES": "3",
    "TENOR_SWEEP_S": "2",
    "TENOR_LEASE_S": "10",
    "TENOR_RESEND_S": "4",
}


#: What second copies of programs are told.
ANOTHER = {
    "beat": ("beat", "-s", "{run}/beat-2", "--pidfile="),
    "maintenance": ("worker", "-n", "maintenance-2@%h", "-Q", "maintenance", "-P", "solo"),
    "align": ("worker", "-n", "align-2@%h", "-Q", "align", "-c", "1"),
}


@dataclass
class House:
    """A home of its own; `run` calls the real command."""

    home: Path
    extra: dict[str, str] = field(default_factory=dict)
    others: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    def environment(self) -> dict[str, str]:
        plain = {k: v for k, v in os.environ.items() if not k.startswith("TENOR_")}
        return {**plain, "TENOR_HOME": str(self.home), **SETTINGS, **self.extra, "COLUMNS": "200"}

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "ops.cli", *arguments]

    def run(self, *arguments: str, code: int | None = 0, timeout_s: float = 180) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            self.command(*arguments),
            env=self.environment(),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=timeout_s,
        )
        if code is not None:
            assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}\n{self.logs()}"
        return done

    def json(self, *arguments: str, code: int | None = 0) -> Any:
        return json.loads(self.run(*arguments, "--json", code=code).stdout)

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            self.command(*arguments),
            env=self.environment(),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def start_another(self, name: str) -> None:
        """A second copy of a worker or of beat, beside the one that runs; its log is `NAME-2`."""
        services = self.services
        reached = {"TENOR_DATABASE_URL": services.database_url, "TENOR_BROKER_URL": services.broker_url}
        arguments = [one.format(run=self.home / "run") for one in ANOTHER[name]]
        log = (self.home / "logs" / f"{name}-2.log").open("ab")
        self.others.append(
            subprocess.Popen(
                [sys.executable, "-m", "celery", "-A", "workers.app", *arguments, "-l", "INFO"],
                env=reached | self.environment() | {"REMAP_SIGTERM": "SIGQUIT"},
                cwd=ROOT,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        )

    def stop_others(self) -> None:
        for process in self.others:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self.others.clear()

    @property
    def services(self) -> Services:
        found = known(Settings(home=self.home))
        assert found is not None
        return found

    def redis(self) -> Redis:
        """Redis as its owner, who may do everything."""
        secrets = read_secrets(self.home)
        return Redis(port=secrets.redis_port, password=secrets.redis_owner_password)

    def rows(self, sql: str, **parameters: Any) -> list[dict[str, Any]]:
        """Rows straight from Postgres, past the command."""
        engine = make_engine(self.services.database_url)
        with engine.connect() as conn:
            return [dict(row) for row in conn.execute(text(sql), parameters).mappings()]

    def one(self, sql: str, **parameters: Any) -> Any:
        (row,) = self.rows(sql, **parameters)
        (value,) = row.values()
        return value

    def wait(self, condition: Callable[[], Any], what: str, timeout_s: float = 120) -> Any:
        return until(condition, what, timeout_s, self.logs)

    def ended(self, job_id: int, timeout_s: float = 150) -> str:
        final = "SELECT state FROM jobs WHERE id = :j AND state IN ('done', 'failed', 'cancelled')"
        rows = self.wait(lambda: self.rows(final, j=job_id), f"job {job_id} ends", timeout_s)
        return str(rows[0]["state"])

    def values(self, job_id: int) -> dict[tuple[str, int], tuple[float | None, ...]]:
        """Every probability of a job by recording and utterance."""
        sides = [
            f"{side}_{emotion}"
            for side in ("p", "speech", "text")
            for emotion in ("angry", "happy", "neutral", "sad", "fear", "disgust", "surprise")
        ]
        rows = self.rows(
            f"SELECT recording, utterance_no, {', '.join(sides)} FROM job_emotions WHERE job_id = :j", j=job_id
        )
        return {(row["recording"], row["utterance_no"]): tuple(row[side] for side in sides) for row in rows}

    def log(self, name: str) -> str:
        """Everything a process has written."""
        path = self.home / "logs" / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def logs(self) -> str:
        """The end of every worker's log, for a failing test."""
        parts = []
        for path in sorted((self.home / "logs").glob("*.log")):
            lines = path.read_text(errors="replace").splitlines()
            parts.append(f"--- {path.name}\n" + "\n".join(lines[-25:]))
        return "\n".join(parts)

    def down(self) -> None:
        self.stop_others()
        subprocess.run(self.command("down"), env=self.environment(), cwd=ROOT, capture_output=True, timeout=120)
        # For root the data lies outside of the home, where Postgres' user can reach it.
        shutil.rmtree((self.home / "postgres").resolve(), ignore_errors=True)


def tone(seconds: float, *, rate: int = 16_000, channels: int = 1, level: float = 0.3) -> NDArray[np.float32]:
    """A steady tone: sound, but nobody speaks."""
    wave = level * np.sin(2 * np.pi * 220 * np.arange(int(seconds * rate)) / rate)
    return np.repeat(wave[:, None], channels, axis=1).astype(np.float32)


def write_wav(path: Path, samples: NDArray[np.float32], rate: int = 16_000, subtype: str = "FLOAT") -> None:
    soundfile.write(path, samples, rate, subtype=subtype)
