"""What one worker process holds: settings, a database engine, an owner name, loaded models."""

import functools
import logging
import os
import socket
from collections import OrderedDict
from collections.abc import Collection
from pathlib import Path
from threading import Event, Lock
from typing import TYPE_CHECKING, Any

from db.engine import make_engine
from workers.errors import SettingsInvalid
from workers.settings import Settings, load_settings

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from ml.inference.engine import Engine as Inference

logger = logging.getLogger(__name__)

#: Models of so many profile versions stay loaded: the running job's and the one before it.
LOADED_VERSIONS = 2


@functools.cache
def settings() -> Settings:
    """The settings this process started with."""
    return load_settings()


@functools.cache
def engine() -> "Engine":
    """The process's database engine; made after the fork, never shared across it."""
    url = settings().database_url
    if url is None:
        raise SettingsInvalid("a worker needs TENOR_DATABASE_URL; `tenor up` sets it for the workers it starts")
    return make_engine(url, pooled=True)


def reset_after_fork() -> None:
    """Forget the parent's engine without closing its connections, and set this process's thread count."""
    _preloaded.clear()
    engine.cache_clear()
    os.environ["OMP_NUM_THREADS"] = str(settings().torch_threads)


def step_back() -> None:
    """Let everything else on this machine go first on the processor, for good."""
    nice = settings().retrain_nice
    os.nice(max(0, nice - os.nice(0)))
    try:
        # Where the kernel groups processes by session, niceness counts inside of a group only.
        Path("/proc/self/autogroup").write_text(str(nice))
    except OSError:
        pass


def boot_id() -> str:
    """Identifies this boot of this machine (empty where the kernel does not tell)."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()[:8]
    except OSError:
        return ""


def _start_time(pid: int) -> str | None:
    """The kernel's start time of a process, None when there is no such process (or it is a zombie)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]


def owner() -> str:
    """Names this process in a lease: host, boot, process id and its start time."""
    pid = os.getpid()
    return f"{socket.gethostname()}/{boot_id()}/{pid}/{_start_time(pid)}"


def is_gone(owner: str) -> bool:
    """True when a lease's owner surely no longer runs: it was a process of this very host and has ended.

    Lets a lease be broken at once after a crash instead of when it expires. The fence (the attempt number) keeps
    this safe even where it is wrong.
    """
    host, boot, pid, started = [*owner.split("/"), "", "", "", ""][:4]
    if host != socket.gethostname() or not pid.isdigit():
        return False
    if boot != boot_id():
        return True
    return _start_time(int(pid)) != started


_loaded: "OrderedDict[str, Inference]" = OrderedDict()
_loading = Lock()


def models(fingerprint: str, spec: dict[str, Any]) -> "Inference":
    """The inference engine of one profile version, from a small cache; loads it on first use."""
    import torch

    from ml.inference.engine import Engine as Inference

    with _loading:
        if fingerprint not in _loaded:
            torch.set_num_threads(settings().torch_threads)
            while len(_loaded) >= LOADED_VERSIONS:
                _loaded.popitem(last=False)
            _loaded[fingerprint] = Inference.load(spec, device=device())
        _loaded.move_to_end(fingerprint)
        return _loaded[fingerprint]


def device() -> str:
    """The torch device that models of this process run on."""
    from ml.device import torch_device

    return torch_device(settings().device)


#: Cleared while models are being loaded ahead of the first task.
_preloaded = Event()
_preloaded.set()


def await_preload() -> None:
    """Wait for `preload`, so that loading models does not count as work on the first recording."""
    _preloaded.wait()


def _usual() -> tuple[str, dict[str, Any]]:
    """Fingerprint and specification that the next job will probably pin: the usual profile's champion."""
    from sqlalchemy import text

    from ml.profiles import load_profile

    profile = load_profile(settings().profile, trained=settings().models)
    with engine().connect() as conn:
        champion = conn.execute(
            text("""
                SELECT v.fingerprint, v.spec FROM profiles p JOIN profile_versions v ON v.id = p.champion_id
                 WHERE p.name = :name
            """),
            {"name": profile.name},
        ).one_or_none()
    return (champion.fingerprint, champion.spec) if champion else (profile.fingerprint(), profile.resolve())


def preload(queues: Collection[str]) -> None:
    """Load, ahead of the first task, what tasks of these queues will need; a failure waits for the task to name it."""
    try:
        if "gpu" in queues:
            models(*_usual())
        if "align" in queues:
            import torch

            from ml.alignment.recording import preload as preload_aligners

            torch.set_num_threads(settings().torch_threads)
            preload_aligners()
    except Exception:
        logger.warning("models could not be loaded ahead of the first task", exc_info=True)
    finally:
        _preloaded.set()
