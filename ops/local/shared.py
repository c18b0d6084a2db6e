"""What an installation's machines share, as `tenor doctor` sees it: Postgres, Redis, queues, store, back-ups."""

import json
import os
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import text

from db.engine import make_engine, place, reading
from db.errors import DatabaseProblem
from db.migrate import check, head
from db.roles import ANALYST, WRITER
from ml.errors import TenorError
from ops.local.checks import Check
from ops.local.services import Services

#: Leases are reckoned on Postgres' clock alone; logs and files of machines further apart confuse people.
MAX_CLOCK_S = 5.0
#: After so long a back-up is old.
BACKUP_DAYS = 7.0


def look(services: Services) -> list[Check]:
    """Postgres first; what cannot be asked without it, or without Redis, is left out."""
    database = _postgres(services)
    redis = _redis(services)
    checks = [*database, redis]
    if redis.ok:
        checks.append(_queues(services))
    return [*checks, _artifacts(services), *_backups(services, any(check.name == "archives" for check in database))]


def _postgres(services: Services) -> list[Check]:
    engine = make_engine(services.database_url)
    try:
        with reading(engine) as conn:
            before = time.time()
            at, version = conn.execute(
                text("SELECT extract(epoch FROM clock_timestamp())::float8, current_setting('server_version')")
            ).one()
            apart = abs(float(at) - (before + time.time()) / 2)
            roles = set(
                conn.execute(
                    text("SELECT rolname FROM pg_roles WHERE rolname = ANY(:r)"), {"r": [WRITER, ANALYST]}
                ).scalars()
            )
            checks = [Check("postgres", True, f"{place(services.database_url)}, version {version}")]
            checks.append(
                Check(
                    "clock",
                    apart < MAX_CLOCK_S,
                    f"{apart:.1f} s from Postgres'",
                    "Let a time service (chrony, systemd-timesyncd) set this machine's clock.",
                )
            )
            missing = {WRITER, ANALYST} - roles
            named = f"missing: {', '.join(sorted(missing))}" if missing else f"{WRITER}, {ANALYST}"
            checks.append(Check("roles", not missing, named, "Run `tenor up`, or `python -m migrations` as the owner."))
    except DatabaseProblem as exc:
        return [Check("postgres", False, str(exc), exc.hint)]
    try:
        check(engine)
    except DatabaseProblem as exc:
        return [*checks, Check("schema", False, str(exc), "Run `tenor upgrade`.")]
    checks.append(Check("schema", True, f"revision {head()}"))
    with reading(engine) as conn:
        jobs, dead = conn.execute(
            text("SELECT (SELECT count(*) FROM jobs), (SELECT count(*) FROM stages WHERE state = 'dead')")
        ).one()
    if jobs:
        hint = "`tenor errors --all` lists it, `tenor retry --all` gives it another chance."
        given_up = f"{jobs:,} jobs, {dead:,} pieces of work given up"
        checks.append(Check("archives", not dead, given_up, hint))
    return checks


def _redis(services: Services) -> Check:
    try:
        client = Redis.from_url(services.broker_url, socket_timeout=3, socket_connect_timeout=3)
        info = client.info("server")
        evicts = client.info("memory").get("maxmemory_policy", "noeviction")
    except (RedisError, OSError) as exc:
        return Check("redis", False, type(exc).__name__, "Run `tenor up`, or correct TENOR_BROKER_URL.")
    if evicts != "noeviction":
        return Check("redis", False, f"it forgets when memory is short ({evicts})", "Set maxmemory-policy noeviction.")
    return Check("redis", True, f"answers, version {info.get('redis_version')}")


def _queues(services: Services) -> Check:
    """Whether somebody reads every queue, on whatever machine."""
    os.environ.update(services.environment())
    from workers.app import app
    from workers.queues import QUEUES

    try:
        answers = app.control.inspect(timeout=2.0).active_queues() or {}
    except (OSError, RedisError) as exc:
        return Check("queues", False, f"workers could not be asked ({type(exc).__name__})", "Look again.")
    readers: dict[str, int] = dict.fromkeys(QUEUES, 0)
    for queues in answers.values():
        for queue in queues:
            if queue["name"] in readers:
                readers[queue["name"]] += 1
    unread = [name for name, count in readers.items() if not count]
    detail = ", ".join(f"{name} {count}" for name, count in readers.items())
    hint = f"Start workers (`tenor up`): nobody answers for {', '.join(unread)}; one that is very busy may be late."
    return Check("queues", not unread, f"workers for each: {detail}", hint)


def _artifacts(services: Services) -> Check:
    """Writes, reads and removes a small object."""
    from workers import artifacts
    from workers.archives.objects.client import answering

    root = services.settings.artifacts
    shown = root.partition("?")[0]
    try:
        store, path = artifacts.place(f"{root}/.probe-{uuid.uuid4().hex}")
        with answering("a probe"):
            if not root.startswith("s3://"):
                store.makedirs(path.rpartition("/")[0], exist_ok=True)
            store.pipe_file(path, b"tenor")
            same = store.cat_file(path) == b"tenor"
            store.rm(path)
    except (OSError, TenorError) as exc:
        hint = "Check TENOR_ARTIFACTS_URL, its permissions and credentials."
        return Check("artifacts", False, f"{shown} cannot be written ({type(exc).__name__})", hint)
    return Check("artifacts", same, f"{shown}: written and read", "It gives back something else than was written.")


def _backups(services: Services, wanted: bool) -> list[Check]:
    """When the last back-up of this home was made; without jobs there is nothing to lose."""
    if not wanted:
        return []
    hint = "Run `tenor backup FOLDER`, best every day (cron); ops/docs/operations.md says how."
    try:
        said = json.loads((services.settings.home / "last_backup.json").read_text())
        age_s = (datetime.now(UTC) - datetime.fromisoformat(said["made_at"])).total_seconds()
        where = Path(str(said["place"]))
    except FileNotFoundError:
        return [Check("back-up", True, "none was made from here: `tenor backup FOLDER`")]
    except (OSError, ValueError, KeyError, TypeError):
        return [Check("back-up", False, "last_backup.json cannot be read", hint)]
    detail = f"{age_s / 86_400:.1f} days old: {where}"
    if not where.is_dir():
        detail += " (not there any more)"
    return [Check("back-up", age_s < BACKUP_DAYS * 86_400, detail, hint)]
