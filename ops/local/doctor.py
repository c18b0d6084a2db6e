"""What runs, what does not, and what to do about it."""

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from db.engine import make_engine, place
from db.errors import DatabaseProblem
from db.migrate import check
from ml.errors import TenorError
from ops.local import processes
from ops.local.errors import HomeUnusable
from ops.local.programs import SUPERVISOR, WORKERS
from ops.local.services import known
from workers.settings import Settings, load_settings, settings_file

MIN_FREE_BYTES = 2_000_000_000


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at."""

    name: str
    ok: bool
    detail: str
    hint: str = ""


def doctor() -> list[Check]:
    """Look at settings, disk, database, broker, processes and models; starts and changes nothing."""
    checks = [
        Check(
            "python",
            sys.version_info[:2] in {(3, 11), (3, 12)},
            sys.version.split()[0],
            "Use Python 3.11 or 3.12.",
        ),
    ]
    try:
        settings = load_settings()
    except TenorError as exc:
        return [*checks, Check("settings", False, str(exc), exc.hint)]
    file = settings_file()
    named = sorted(name for name in os.environ if name.startswith("TENOR_"))
    source = f"{file if file.exists() else 'no file'}; variables: {', '.join(named) or 'none'}"
    checks.append(Check("settings", True, source))
    checks += [_disk(settings.home), *_models(settings)]
    try:
        services = known(settings)
    except HomeUnusable as exc:
        return [*checks, Check("services", False, str(exc), exc.hint)]
    if services is None:
        return [*checks, Check("services", False, "never started", "Run `tenor up`.")]
    engine = make_engine(services.database_url)
    try:
        check(engine)
        checks.append(Check("postgres", True, place(services.database_url)))
    except DatabaseProblem as exc:
        checks.append(Check("postgres", False, str(exc), exc.hint))
    try:
        Redis.from_url(services.broker_url, socket_timeout=3, socket_connect_timeout=3).ping()
        checks.append(Check("redis", True, "answers"))
    except (RedisError, OSError) as exc:
        checks.append(Check("redis", False, type(exc).__name__, "Run `tenor up`."))
    for name in (*WORKERS, "beat", "flower", SUPERVISOR):
        pid = processes.running(settings.home / "run", name)
        detail = f"process {pid}" if pid else f"not running; log: {settings.home / 'logs' / (name + '.log')}"
        checks.append(Check(name, pid is not None, detail, "Run `tenor up`."))
    return checks


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
