"""Detached processes with a pid file: started once, found again, stopped; a recycled pid is not mistaken for one."""

import hashlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


def start_time(pid: int) -> str | None:
    """The kernel's start time of a running process; None when there is none (or only its zombie)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]


@dataclass(frozen=True, slots=True)
class Program:
    """A process to keep: its name, command and environment."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]

    def fingerprint(self) -> str:
        """Changes with the command, the settings and the installed code, so that a stale process is replaced."""
        relevant = {k: v for k, v in self.environment.items() if k.startswith(("TENOR_", "FLOWER_", "AWS_"))}
        return hashlib.sha256(json.dumps([list(self.command), relevant, code_version()]).encode()).hexdigest()


def code_version() -> str:
    """The newest modification among the modules that workers run."""
    root = Path(__file__).parents[2]
    newest = max(
        (path.stat().st_mtime_ns for layer in ("ml", "db", "workers") for path in (root / layer).rglob("*.py")),
        default=0,
    )
    return str(newest)


def record(run: Path, name: str, pid: int, fingerprint: str) -> None:
    """Write a pid file."""
    partial = run / f".{name}.{os.getpid()}"
    partial.write_text(json.dumps({"pid": pid, "start": start_time(pid), "fingerprint": fingerprint}))
    os.replace(partial, run / f"{name}.json")


def running(run: Path, name: str, fingerprint: str | None = None) -> int | None:
    """The pid of a recorded process that still runs (and has that fingerprint), else None."""
    try:
        noted = json.loads((run / f"{name}.json").read_text())
    except (OSError, ValueError):
        return None
    if noted["start"] is None or start_time(noted["pid"]) != noted["start"]:
        return None
    if fingerprint is not None and noted["fingerprint"] != fingerprint:
        return None
    return int(noted["pid"])


def launch(run: Path, program: Program, log: Path) -> int:
    """Start a program in its own session, so that Ctrl-C in a terminal does not reach it; returns its pid."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            list(program.command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env=dict(program.environment),
            cwd=Path(__file__).parents[2],
        )
    record(run, program.name, process.pid, program.fingerprint())
    return process.pid


def stop(run: Path, names: Sequence[str], *, patience_s: float = 20.0) -> list[str]:
    """Ask processes to end, all at once, and kill the sessions of those that do not; returns the names stopped."""
    pids = {name: pid for name in names if (pid := running(run, name)) is not None}
    for pid in pids.values():
        _signal(pid, signal.SIGTERM)
    deadline = time.monotonic() + patience_s
    while any(start_time(pid) for pid in pids.values()) and time.monotonic() < deadline:
        reap()
        time.sleep(0.1)
    for name, pid in pids.items():
        # Children of a killed worker would go on without it.
        try:
            os.killpg(pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass
        (run / f"{name}.json").unlink(missing_ok=True)
    reap()
    return list(pids)


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def reap() -> None:
    """Collect ended children of this very process, which otherwise stay as zombies."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass
