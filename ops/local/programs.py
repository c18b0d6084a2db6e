"""The processes of a machine: what each runs, with which options and variables."""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ops.local.processes import Program

if TYPE_CHECKING:
    from ops.local.services import Services

SUPERVISOR = "supervisor"


@dataclass(frozen=True, slots=True)
class Worker:
    """A Celery worker: the queue it reads and how it runs its tasks."""

    queue: str
    options: Sequence[str]


#: Celery workers by name. Decoders of strangers' files leak, so those that use them get a new process now and then.
#: Sweeping has a worker of its own: it must not wait behind the walk of an archive.
WORKERS: Mapping[str, Worker] = {
    "ingest": Worker("ingest", ("-c", "1", "--max-tasks-per-child", "100")),
    "align": Worker("align", ("-c", str(max(1, (os.cpu_count() or 2) // 2)), "--max-tasks-per-child", "200")),
    "gpu": Worker("gpu", ("-c", "1")),
    # About a run for each process: what training has taken is given back.
    "retrain": Worker("retrain", ("-c", "1", "--max-tasks-per-child", "4")),
    "maintenance": Worker("maintenance", ("-P", "solo")),
}


def programs(services: "Services") -> list[Program]:
    """The processes that do the work, those that watch it, and the one that keeps them running."""
    celery = [sys.executable, "-m", "celery", "-A", "workers.app"]
    base = {k: v for k, v in os.environ.items() if not k.startswith(("TENOR_", "FLOWER_"))}
    base |= services.environment()
    # TERM lets running stages end, for a while (`workers.app`, worker_soft_shutdown_timeout).
    base |= {
        "REMAP_SIGTERM": "SIGQUIT",
        "PYTHONUNBUFFERED": "1",
        "OMP_NUM_THREADS": str(services.settings.torch_threads),
    }
    level = services.settings.log_level
    run = services.settings.home / "run"
    made = []
    for name, worker in WORKERS.items():
        command = [*celery, "worker", "-n", f"{name}@%h", "-Q", worker.queue, *worker.options, "-E", "-l", level]
        command += ["--without-gossip", "--without-mingle"]
        made.append(Program(name, command, {**base, "PGAPPNAME": f"tenor/{name}"}))
    made.append(
        Program(
            "beat",
            [*celery, "beat", "-l", level, "-s", str(run / "beat-schedule"), "--pidfile="],
            {**base, "PGAPPNAME": "tenor/beat"},
        )
    )
    flower_environment = {
        **base,
        "PGAPPNAME": "tenor/flower",
        "FLOWER_BASIC_AUTH": f"{services.flower_user}:{services.flower_password}",
        "FLOWER_ADDRESS": "127.0.0.1",
        "FLOWER_PORT": str((services.flower_url or "").rpartition(":")[2]),
    }
    configuration = Path(__file__).parents[1] / "flower" / "flowerconfig.py"
    flower = [sys.executable, "-m", "celery", "-A", "ops.flower.app", "flower", f"--conf={configuration}"]
    made.append(Program("flower", flower, flower_environment))
    made.append(Program(SUPERVISOR, [sys.executable, "-m", "ops.local.supervisor"], _as_typed(services)))
    return made


def _as_typed(services: "Services") -> dict[str, str]:
    """The environment of a command a person types: embedded services are found in the home, not named."""
    plain = {k: v for k, v in os.environ.items() if not k.startswith(("TENOR_", "FLOWER_"))}
    return plain | services.given() | {"PGAPPNAME": "tenor/supervisor", "PYTHONUNBUFFERED": "1"}
