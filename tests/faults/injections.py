"""The faults: each does its harm to a rig, undoes what an operator would undo, and returns."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import psycopg2

from tests.faults.rig import LEASE_S, Rig

#: Returns False when there was nothing to break at the time.
Inject = Callable[[Rig, Random], bool]


@dataclass(frozen=True)
class Fault:
    """Something that happens to the pipeline."""

    name: str
    inject: Inject
    #: In one run over the archive.
    times: int = 2
    #: Of a hundred random ones, about so many are this one.
    weight: int = 4
    #: Injected while the job is being enqueued: what it hits is over a second later.
    early: bool = False


def _owner(rig: Rig, stage: str, seconds: float = 5.0) -> int | None:
    """The process that runs a stage of this kind at this moment."""
    deadline = time.monotonic() + seconds
    with contextlib.suppress(psycopg2.Error), rig.connected() as cursor:
        while time.monotonic() < deadline:
            cursor.execute("SELECT owner FROM stages WHERE state = 'running' AND stage = %s", (stage,))
            if row := cursor.fetchone():
                return int(row[0].split("/")[2])
    return None


def _kill(pid: int | None, number: int = signal.SIGKILL, *, group: bool = False) -> bool:
    try:
        if pid is None:
            return False
        (os.killpg if group else os.kill)(os.getpgid(pid) if group else pid, number)
        return True
    except ProcessLookupError:
        return False


def kill_child(stage: str) -> Inject:
    return lambda rig, _: _kill(_owner(rig, stage))


def kill_worker(stage: str) -> Inject:
    """The main process of the worker and its children at once; they are one process group."""
    return lambda rig, _: _kill(_owner(rig, stage), group=True)


def terminate_worker(rig: Rig, random: Random) -> bool:
    return _kill(rig.pid(random.choice(["ingest", "align", "gpu", "maintenance", "beat"])), signal.SIGTERM)


def pause_worker(rig: Rig, random: Random) -> bool:
    pid = _owner(rig, random.choice(["align", "extract"]))
    stopped = _kill(pid, signal.SIGSTOP, group=True)
    time.sleep(LEASE_S + 3)
    _kill(pid, signal.SIGCONT, group=True)
    return stopped


def kill_redis(*, file_lost: bool) -> Inject:
    """It comes back as it was, or empty."""

    def inject(rig: Rig, random: Random) -> bool:
        killed = _kill(rig.pid("redis"))
        for file in (rig.home / "redis").rglob("*") if file_lost else ():
            if file.suffix in {".aof", ".rdb"}:
                file.unlink()
        time.sleep(random.uniform(0.2, 2))
        rig.start_redis()
        return killed

    return inject


def flush_redis(rig: Rig, _: Random) -> bool:
    return bool(rig.broker().flushall())


def restart_postgres(rig: Rig, random: Random) -> bool:
    """In the middle of somebody's transaction, if one is open when we look."""
    deadline = time.monotonic() + 3
    with contextlib.suppress(psycopg2.Error), rig.connected() as cursor:
        while time.monotonic() < deadline:
            cursor.execute("""
                SELECT FROM pg_stat_activity WHERE application_name LIKE 'tenor/%' AND xact_start IS NOT NULL
                   AND query ~* '(INSERT|UPDATE|COPY|COMMIT)'
            """)
            if cursor.rowcount:
                break
    rig.restart_postgres("immediate" if random.random() < 0.5 else "fast")
    return True


def cut_postgres(rig: Rig, _: Random) -> bool:
    return rig.postgres.cut() > 0


def cut_redis(rig: Rig, _: Random) -> bool:
    return rig.redis.cut() > 0


def away_postgres(rig: Rig, random: Random) -> bool:
    rig.postgres.refuse(random.uniform(0.5, 3))
    return True


def away_redis(rig: Rig, random: Random) -> bool:
    rig.redis.refuse(random.uniform(0.5, 3))
    return True


def slow_postgres(rig: Rig, random: Random) -> bool:
    rig.postgres.hold(random.uniform(0.3, 2))
    return True


def slow_redis(rig: Rig, random: Random) -> bool:
    rig.redis.hold(random.uniform(0.3, 2))
    return True


def deafen(rig: Rig, _: Random) -> bool:
    """Connections to Redis that look open and carry nothing any more."""
    return rig.redis.freeze() > 0


def double_messages(rig: Rig, _: Random) -> bool:
    """Every waiting message once more, and one more for every stage that runs or has run: all at the same time."""
    client = rig.broker()
    doubled = 0
    for key in client.scan_iter(match="*"):
        if client.type(key) == b"list":
            for message in client.lrange(key, 0, -1):  # type: ignore[union-attr]
                client.lpush(key, message)
                doubled += 1
    for packed in client.hvals("unacked"):  # type: ignore[union-attr]
        message, _exchange, queue = json.loads(packed)
        client.lpush(queue, json.dumps(message), json.dumps(message))
        doubled += 2
    return doubled > 0


def damage_object(rig: Rig, random: Random) -> bool:
    """A bit falls over in an object between two stages, or the object is gone."""
    deadline = time.monotonic() + 8
    while time.monotonic() < deadline:
        objects = list(Path(rig.store).glob("artifacts/batches/*/extract-*.safetensors"))
        with contextlib.suppress(OSError):
            for path in objects:
                if random.random() < 0.5:
                    path.unlink()
                else:
                    content = bytearray(path.read_bytes())
                    content[len(content) // 2] ^= 1
                    path.write_bytes(content)
                return True
        time.sleep(0.005)
    return False


def store_away(rig: Rig, random: Random) -> bool:
    """The folder of the store is not there for a while, as when a mount is lost."""
    place, aside = rig.store / "artifacts", rig.store / "aside"
    if not place.is_dir():
        return False
    place.rename(aside)
    place.write_bytes(b"")
    time.sleep(random.uniform(0.5, 3))
    place.unlink()
    aside.rename(place)
    return True


def can_mount() -> bool:
    """True when this user may mount a small file system."""
    return os.geteuid() == 0 and shutil.which("mount") is not None


@contextlib.contextmanager
def small_disk(folder: Path, megabytes: int = 24) -> Iterator[None]:
    """The folder on a disk of its own."""
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=777", "tenor-faults", str(folder)], check=True
    )
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill_disk(rig: Rig, random: Random) -> bool:
    """The disk of the store is full, then free again."""
    filler = rig.store / "filler"
    try:
        with filler.open("wb") as file:
            while True:
                file.write(b"x" * 100_000)
                file.flush()
    except OSError:
        pass
    time.sleep(random.uniform(2, 5))
    filler.unlink()
    return True


BATCH_STAGES = ("extract", "ser", "ter", "fuse")

FAULTS = (
    *(Fault(f"kill -9 of a child in {stage}", kill_child(stage), weight=5) for stage in ("align", *BATCH_STAGES)),
    Fault("kill -9 of a child in ingest", kill_child("ingest"), times=1, weight=0, early=True),
    *(Fault(f"kill -9 of the worker in {stage}", kill_worker(stage), weight=3) for stage in ("align", *BATCH_STAGES)),
    Fault("kill -9 of the worker in ingest", kill_worker("ingest"), times=1, weight=0, early=True),
    Fault("TERM to a random worker", terminate_worker, times=4, weight=8),
    Fault("worker paused beyond its lease", pause_worker, times=1, weight=2),
    Fault("kill -9 of Redis", kill_redis(file_lost=False), weight=4),
    Fault("kill -9 of Redis, its file lost", kill_redis(file_lost=True), weight=4),
    Fault("FLUSHALL", flush_redis, weight=5),
    Fault("Postgres restarted", restart_postgres, weight=5),
    Fault("connections to Postgres cut", cut_postgres, times=4, weight=6),
    Fault("connections to Redis cut", cut_redis, times=4, weight=6),
    Fault("Postgres unreachable", away_postgres, weight=4),
    Fault("Redis unreachable", away_redis, weight=4),
    Fault("Postgres slow", slow_postgres, weight=4),
    Fault("Redis slow", slow_redis, weight=4),
    Fault("connections to Redis silently dead", deafen, times=1, weight=1),
    Fault("every message twice", double_messages, times=4, weight=5),
    Fault("object between stages damaged", damage_object, weight=3),
    Fault("artifact store unreachable", store_away, weight=3),
)
BY_NAME = {fault.name: fault for fault in FAULTS}
