"""Create `.venv` and install everything: standard library only, safe to repeat and to interrupt.

A stamp holds the hash of what was installed, so that a second run takes no time.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import time
import tomllib
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
STAMP = VENV / "tenor-installed"
NEEDED_BYTES = 4_000_000_000


def stop(sentence: str) -> NoReturn:
    """End with a sentence that says what to do."""
    print(f"\n{sentence}", file=sys.stderr)
    sys.exit(1)


def say(sentence: str) -> None:
    """One line of progress."""
    print(f"== {sentence}", flush=True)


def wanted() -> str:
    """Hash of everything that decides what is installed."""
    parts = [
        (ROOT / "pyproject.toml").read_bytes(),
        Path(__file__).read_bytes(),
        sys.version.encode(),
        str(ROOT).encode(),
    ]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def check_machine() -> None:
    """Everything that would fail later, in words, now."""
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        stop(f"This Python lacks the venv module. On Debian or Ubuntu: apt install python{version}-venv")
    if shutil.which("cc") is None and shutil.which("gcc") is None and shutil.which("clang") is None:
        stop("There is no C compiler, which some packages need. On Debian or Ubuntu: apt install build-essential")
    if sys.platform != "linux" or sysconfig.get_platform() != "linux-x86_64":
        say(f"untested platform {sysconfig.get_platform()}: packages may be missing")
    if (free := shutil.disk_usage(ROOT).free) < NEEDED_BYTES:
        stop(f"Setting up needs 4 GB of disk; {ROOT} has {free / 1e9:.1f} GB free.")
    if not os.access(ROOT, os.W_OK):
        stop(f"{ROOT} cannot be written; clone Tenor into a folder of your own.")


def pip(*arguments: str) -> None:
    """Run pip in the virtual environment, showing what it does."""
    command = [str(VENV / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", *arguments]
    started = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT)
    assert process.stdout is not None
    lines: list[str] = []
    shown = 0.0
    for line in process.stdout:
        lines.append(line.rstrip())
        if line.startswith(("Collecting", "Downloading", "Building", "Installing")) and time.monotonic() - shown > 2:
            shown = time.monotonic()
            print(f"   {shown - started:4.0f} s  {line.strip()[:90]}", flush=True)
    if process.wait():
        tail = "\n".join(lines[-12:])
        stop(f"{tail}\n\npip could not install this. Check the network and the disk, then run the command again.")


def install() -> None:
    """Create the environment and install into it."""
    if not (VENV / "bin" / "python").exists():
        say("creating .venv")
        subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True)
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    say("installing Tenor and its dependencies (about 2 GB, some minutes)")
    pip("-e", f"{ROOT}[dev]")
    say("installing packages whose declared dependencies are outdated")
    pip("--no-deps", *settings["tool"]["tenor"]["no-deps"])
    say("checking torchaudio")
    subprocess.run([str(VENV / "bin" / "python"), str(ROOT / "ops" / "setup" / "torchaudio_libraries.py")], check=True)


def main() -> None:
    """Set up unless that is done."""
    check_machine()
    with (ROOT / ".setup.lock").open("w") as lock:
        # Two commands at once: the second waits and finds the work done.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if STAMP.exists() and STAMP.read_text() == wanted():
            return
        if VENV.exists() and not os.access(VENV, os.W_OK):
            stop(f"{VENV} belongs to somebody else; remove it or clone Tenor into a folder of your own.")
        install()
        STAMP.write_text(wanted())
        say("set up")


if __name__ == "__main__":
    main()
