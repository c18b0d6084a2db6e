"""What runs, what does not, and what to do about it; this machine in `machine`, what is shared in `shared`."""

import os
import shutil
import sys
import tomllib
from pathlib import Path

from ml.errors import TenorError
from ops.local import machine, processes, shared
from ops.local.checks import Check
from ops.local.errors import HomeUnusable
from ops.local.programs import SUPERVISOR, WORKERS
from ops.local.services import Services, known
from workers.settings import Settings, load_settings, settings_file

MIN_FREE_BYTES = 2_000_000_000


def doctor() -> list[Check]:
    """Look at settings, machine, services, processes and models; starts nothing and changes nothing that stays."""
    checks = [
        Check(
            "python",
            sys.version_info[:2] in {(3, 11), (3, 12)},
            sys.version.split()[0],
            "Use Python 3.11 or 3.12.",
        ),
        *machine.libraries(),
    ]
    try:
        settings = load_settings()
    except TenorError as exc:
        return [*checks, Check("settings", False, str(exc), exc.hint)]
    checks += [_settings(settings), _disk(settings.home), machine.memory(), *_models(settings), machine.gpu(settings)]
    checks += machine.secrets(settings.home)
    try:
        services = known(settings)
    except HomeUnusable as exc:
        return [*checks, Check("services", False, str(exc), exc.hint)]
    if services is None:
        return [*checks, Check("services", False, "never started", "Run `tenor up`.")]
    return [*checks, *shared.look(services), *_processes(services)]


def _settings(settings: Settings) -> Check:
    """Where they come from; never what they are, since some hold passwords."""
    file = settings_file()
    named = sorted(name for name in os.environ if name.startswith("TENOR_"))
    written = sorted(tomllib.loads(file.read_text(encoding="utf-8"))) if file.is_file() else []
    source = f"{file} with {', '.join(written) or 'nothing'}" if file.is_file() else "no file"
    return Check("settings", True, f"{source}; variables: {', '.join(named) or 'none'}")


def _processes(services: Services) -> list[Check]:
    """What `tenor up` keeps here; a machine that only gives commands to others' services runs none of it."""
    home, names = services.settings.home, (*WORKERS, "beat", "flower", SUPERVISOR)
    pids = {name: processes.running(home / "run", name) for name in names}
    settings = services.settings
    if settings.database_url is not None and settings.broker_url is not None and not any(pids.values()):
        return []
    found = []
    for name, pid in pids.items():
        detail = f"process {pid}" if pid else f"not running; log: {home / 'logs' / (name + '.log')}"
        found.append(Check(name, pid is not None, detail, "Run `tenor up`."))
    return found


def _disk(home: Path) -> Check:
    """Whether TENOR_HOME, or where it would be made, can be written and has space."""
    try:
        present = next(path for path in (home, *home.parents) if path.exists())
        free = shutil.disk_usage(present).free
    except OSError as exc:
        return Check("disk", False, f"{home} cannot be read: {exc.strerror}", HomeUnusable.hint)
    if not present.is_dir():
        return Check("disk", False, f"{present} is no folder", HomeUnusable.hint)
    if not os.access(present, os.W_OK | os.X_OK):
        return Check("disk", False, f"{present} cannot be written", HomeUnusable.hint)
    return Check("disk", free > MIN_FREE_BYTES, f"{free / 1e9:.1f} GB free at {present}", "Free some space.")


def _models(settings: Settings) -> list[Check]:
    from ml.profiles import load_profile

    try:
        loaded = load_profile(settings.profile, trained=settings.models)
        # Whoever looks at things fetches no gigabytes.
        if remote := loaded.remote():
            return [Check("models", True, f"profile {loaded.name}, with {' and '.join(remote)} from the Hub")]
        loaded.resolve()
    except TenorError as exc:
        return [Check("models", False, str(exc), exc.hint)]
    return [Check("models", True, f"profile {loaded.name}")]
