"""The folder TENOR_HOME: its lock, generated passwords and ports, and log files."""

import fcntl
import json
import os
import secrets
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from ops.local.errors import HomeUnusable, ServiceFailed

LOG_LIMIT = 20_000_000


@dataclass(frozen=True, slots=True)
class Secrets:
    """Passwords and ports, made once per home and kept in a file that only its owner can read."""

    owner_password: str
    worker_password: str
    reader_password: str
    redis_password: str
    #: Of Redis' user `default`, who may do everything; workers have the one above.
    redis_owner_password: str
    flower_password: str
    postgres_port: int
    redis_port: int
    flower_port: int


def make_private(home: Path) -> None:
    """Make a home that only its owner looks into; one that is there keeps its permissions.

    Root's Postgres runs as somebody else, who has to pass through on the way to its data.
    """
    if not home.is_dir():
        home.mkdir(parents=True, exist_ok=True, mode=0o711 if os.geteuid() == 0 else 0o700)


def prepare(home: Path) -> None:
    """Make the folders; raises `HomeUnusable`."""
    try:
        if home.exists() and not home.is_dir():
            raise HomeUnusable(f"{home} is no folder")
        make_private(home)
        for folder in (home / "logs", home / "run", home / "artifacts", home / "redis"):
            folder.mkdir(mode=0o700, exist_ok=True)
        probe = home / ".writable"
        probe.write_bytes(b"x" * 4096)
        probe.unlink()
    except OSError as exc:
        raise HomeUnusable(f"{home} cannot be used: {exc.strerror or type(exc).__name__}") from exc


@contextmanager
def lock(home: Path, *, timeout_s: float = 180.0) -> Iterator[None]:
    """Hold the home's lock; the kernel releases it when its holder dies."""
    with (home / ".lock").open("w") as file:
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise ServiceFailed(
                        "another command has been starting or stopping the services for minutes"
                    ) from None
                time.sleep(0.1)
        yield


def free_port() -> int:
    """A loopback port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def port_in_use(port: int) -> bool:
    """True when something listens on a loopback port."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def read_secrets(home: Path) -> Secrets:
    """Read or make the home's secrets; call with the lock held."""
    path = home / "secrets.json"
    noted = json.loads(path.read_text()) if path.exists() else {}
    fresh = asdict(_made())
    if noted.keys() == fresh.keys():
        return Secrets(**noted)
    # A home of an earlier release lacks what has come since.
    made = Secrets(**{name: noted.get(name, value) for name, value in fresh.items()})
    write_secrets(home, made)
    return made


def _made() -> Secrets:
    return Secrets(
        owner_password=secrets.token_urlsafe(24),
        worker_password=secrets.token_urlsafe(24),
        reader_password=secrets.token_urlsafe(24),
        redis_password=secrets.token_urlsafe(24),
        redis_owner_password=secrets.token_urlsafe(24),
        flower_password=secrets.token_urlsafe(24),
        postgres_port=free_port(),
        redis_port=free_port(),
        flower_port=free_port(),
    )


def write_secrets(home: Path, values: Secrets) -> None:
    """Replace the secrets file as a whole."""
    partial = home / f".secrets.{os.getpid()}"
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(asdict(values), file)
    os.replace(partial, home / "secrets.json")


def log_file(home: Path, name: str) -> Path:
    """The log of a process that is about to start."""
    path = home / "logs" / f"{name}.log"
    cut(path)
    return path


def cut(path: Path) -> bool:
    """Empty a log that has grown large, keeping what it held as `….old.log`; True when it had.

    Whoever writes it goes on at its new end, since logs are opened for appending; what is written in between is lost.
    """
    try:
        if path.stat().st_size <= LOG_LIMIT:
            return False
        shutil.copyfile(path, path.with_suffix(".old.log"))
        os.truncate(path, 0)
    except OSError:
        return False
    return True


def last_lines(path: Path, count: int = 6) -> str:
    """The end of a log, for an error message."""
    try:
        return "\n".join(path.read_text(errors="replace").splitlines()[-count:])
    except OSError:
        return ""
