"""This machine as `tenor doctor` sees it: libraries, memory, GPU, the passwords' file."""

import importlib
import shutil
import subprocess
from importlib import metadata
from pathlib import Path

from ops.local.checks import Check
from workers.settings import Settings

#: Below this, models, Postgres and a few decoders have no room beside each other.
MIN_MEMORY_BYTES = 2_000_000_000
#: Packages without which no recording is analysed: their import name, and what they do.
_NEEDED = {"av": "av", "torch": "torch", "celery": "celery", "psycopg2": "psycopg2-binary"}
#: Endings of recordings whose decoders are asked for by name.
_CODECS = ("flac", "mp3", "opus", "vorbis", "aac", "pcm_s16le")


def libraries() -> list[Check]:
    """Versions of what computes, and whether recordings can be decoded."""
    versions, missing = [], []
    for package in _NEEDED.values():
        try:
            versions.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            missing.append(package)
    ok = not missing
    detail = ", ".join(versions) if ok else f"not installed: {', '.join(missing)}"
    return [Check("packages", ok, detail, "Run `make setup`."), _decoders()]


def _decoders() -> Check:
    try:
        av = importlib.import_module("av")
        codec = importlib.import_module("av.codec").Codec
        absent = [name for name in _CODECS if not _has(codec, name)]
    except (ImportError, OSError) as exc:
        return Check("decoders", False, f"PyAV cannot be loaded ({type(exc).__name__})", "Run `make setup`.")
    if absent:
        return Check("decoders", False, f"ffmpeg of PyAV has none for {', '.join(absent)}", "Install PyAV's own wheel.")
    return Check("decoders", True, f"ffmpeg {getattr(av, 'ffmpeg_version_info', '')} of PyAV: {', '.join(_CODECS)}")


def _has(codec: type, name: str) -> bool:
    try:
        codec(name, "r")
    except Exception:
        return False
    return True


def memory() -> Check:
    """What is free, as the kernel counts it."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        values = {key: int(rest.split()[0]) * 1024 for key, _, rest in (line.partition(":") for line in lines)}
        free, total = values["MemAvailable"], values["MemTotal"]
    except (OSError, KeyError, ValueError, IndexError):
        return Check("memory", True, "this kernel does not tell")
    hint = "End other programs, or let this machine run fewer workers."
    return Check("memory", free > MIN_MEMORY_BYTES, f"{free / 1e9:.1f} of {total / 1e9:.1f} GB free", hint)


def gpu(settings: Settings) -> Check:
    """Which GPU the driver knows of; wrong only where the settings ask for one. Loads no models' libraries."""
    program = shutil.which("nvidia-smi")
    names: list[str] = []
    if program is not None:
        try:
            done = subprocess.run(
                [program, "--query-gpu=name,memory.total", "--format=csv,noheader"],
                capture_output=True, text=True, timeout=20,
            )  # fmt: skip
            names = [line.strip() for line in done.stdout.splitlines() if line.strip()] if not done.returncode else []
        except (OSError, subprocess.TimeoutExpired):
            names = []
    wanted = settings.device == "cuda" or settings.retrain_device == "cuda"
    detail = "; ".join(names) or "none; models run on the processor"
    return Check("gpu", bool(names) or not wanted, detail, "Install the driver, or set TENOR_DEVICE=auto.")


def secrets(home: Path) -> list[Check]:
    """Files with passwords that others than their owner can read."""
    files = [path for name in ("secrets.json", "tenor.toml") if (path := home / name).is_file()]
    try:
        readable = [path for path in files if path.stat().st_mode & 0o077]
    except OSError:
        return []
    if not files:
        return []
    detail = ", ".join(path.name for path in files) + ": for their owner alone"
    if readable:
        # Settings without passwords may be anybody's.
        readable = [path for path in readable if path.name == "secrets.json" or "_url" in path.read_text("utf-8")]
    if readable:
        listed = " ".join(str(path) for path in readable)
        return [Check("secrets", False, "others can read " + listed, f"Run: chmod 600 {listed}")]
    return [Check("secrets", True, detail)]
