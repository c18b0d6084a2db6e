"""Everything one machine needs, up and down: Postgres, Redis, workers, beat, Flower, and who keeps them running."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from db.engine import make_engine
from db.migrate import upgrade
from db.roles import ANALYST, WRITER, create_login
from ops.local import home as homes
from ops.local import processes, redis, servers
from ops.local.errors import HomeUnusable, ServiceFailed
from ops.local.programs import SUPERVISOR, WORKERS, programs
from ops.local.servers import OWNER, Progress
from workers.settings import Settings, load_settings

WORKER, READER = "tenor_worker", "tenor_reader"
DATABASE = "postgres"


@dataclass(frozen=True, slots=True)
class Services:
    """Where everything is; URLs hold passwords and are never printed."""

    settings: Settings
    database_url: str
    owner_url: str
    analyst_url: str
    broker_url: str
    flower_url: str | None
    flower_user: str
    flower_password: str

    def given(self) -> dict[str, str]:
        """The settings as variables, without the addresses of embedded services."""
        return {
            f"TENOR_{name.upper()}": str(value)
            for name, value in self.settings.model_dump(exclude_none=True).items()
            if value != ""
        }

    def environment(self) -> dict[str, str]:
        """The variables that worker processes and programs need."""
        variables = self.given() | {
            "TENOR_DATABASE_URL": self.database_url,
            "TENOR_BROKER_URL": self.broker_url,
        }
        variables.pop("TENOR_OWNER_URL", None)
        variables.pop("TENOR_ANALYST_URL", None)
        return variables


def up(
    settings: Settings | None = None,
    *,
    workers: bool = True,
    migrate: bool = True,
    progress: Progress = lambda _: None,
) -> Services:
    """Start what does not run yet; safe to call at any time and from several commands at once."""
    settings = settings or load_settings()
    homes.prepare(settings.home)
    with homes.lock(settings.home):
        secrets = homes.read_secrets(settings.home)
        if settings.database_url is None:
            secrets = servers.postgres_up(settings.home, secrets, progress)
        if settings.broker_url is None:
            secrets = servers.redis_up(settings.home, secrets, progress)
        if port_taken(settings.home, "flower", secrets.flower_port):
            secrets = replace(secrets, flower_port=homes.free_port())
        homes.write_secrets(settings.home, secrets)
        services = describe(settings, secrets)
        if migrate:
            _migrate(settings, services, progress)
        if workers:
            _workers_up(services, progress)
    return services


def describe(settings: Settings, secrets: homes.Secrets) -> Services:
    """The services of a home, running or not."""

    def local(login: str, password: str) -> str:
        return f"postgresql+psycopg2://{login}:{password}@127.0.0.1:{secrets.postgres_port}/{DATABASE}"

    database = settings.database_url or local(WORKER, secrets.worker_password)
    owner = settings.owner_url or settings.database_url or local(OWNER, secrets.owner_password)
    analyst = settings.analyst_url or settings.database_url or local(READER, secrets.reader_password)
    return Services(
        settings=settings,
        database_url=database,
        owner_url=owner,
        analyst_url=analyst,
        broker_url=settings.broker_url
        or f"redis://{redis.WORKER}:{secrets.redis_password}@127.0.0.1:{secrets.redis_port}/0",
        flower_url=f"http://127.0.0.1:{secrets.flower_port}",
        flower_user="tenor",
        flower_password=secrets.flower_password,
    )


def known(settings: Settings | None = None) -> Services | None:
    """The services of a home that has been used before, without starting anything; None when there is none.

    Raises `HomeUnusable`.
    """
    settings = settings or load_settings()
    try:
        if (settings.home / "secrets.json").exists():
            return describe(settings, homes.read_secrets(settings.home))
    except OSError as exc:
        raise HomeUnusable(f"{settings.home} cannot be read: {exc.strerror}") from exc
    if settings.database_url is not None and settings.broker_url is not None:
        homes.prepare(settings.home)
        with homes.lock(settings.home):
            return describe(settings, homes.read_secrets(settings.home))
    return None


def down(settings: Settings | None = None, *, progress: Progress = lambda _: None) -> list[str]:
    """Stop everything that was started here; returns the names of what was stopped. Data stays."""
    settings = settings or load_settings()
    if not settings.home.is_dir():
        return []
    with homes.lock(settings.home):
        run = settings.home / "run"
        # First who would start the others again.
        stopped = processes.stop(run, [SUPERVISOR])
        if any(processes.running(run, name) for name in WORKERS):
            progress(f"stopping workers; stages that run get up to {settings.grace_s:.0f} s")
        # Longer than workers take to give back what they cannot finish.
        stopped += processes.stop(run, [*WORKERS, "beat", "flower"], patience_s=settings.grace_s + 15)
        stopped += processes.stop(run, ["redis"])
        if (settings.home / "postgres").exists() or os.geteuid() == 0:
            postgres = servers.postgres_of(settings.home)
            if postgres.running():
                progress("stopping Postgres")
                postgres.stop()
                stopped.append("postgres")
        return stopped


def workers_run(home: Path) -> bool:
    """True when all workers that were started in a home run, which does not mean that they are ready."""
    return all(processes.running(home / "run", name) is not None for name in WORKERS)


def port_taken(home: Path, name: str, port: int) -> bool:
    """True when something that is not ours listens on a port."""
    return homes.port_in_use(port) and processes.running(home / "run", name) is None


def postgres_only(settings: Settings, progress: Progress = lambda _: None) -> str:
    """The owner's URL of the database; the embedded one is started, nothing is made in it."""
    homes.prepare(settings.home)
    with homes.lock(settings.home):
        secrets = homes.read_secrets(settings.home)
        if settings.database_url is None:
            secrets = servers.postgres_up(settings.home, secrets, progress)
        homes.write_secrets(settings.home, secrets)
        return describe(settings, secrets).owner_url


def make_logins(settings: Settings, owner_url: str) -> None:
    """The logins of workers and analysts, with the home's passwords; those of a named database are its owner's."""
    if settings.database_url is not None:
        return
    secrets, engine = homes.read_secrets(settings.home), make_engine(owner_url)
    try:
        with engine.begin() as conn:
            create_login(conn, WORKER, secrets.worker_password, WRITER)
            create_login(conn, READER, secrets.reader_password, ANALYST)
    finally:
        engine.dispose()


def any_running(home: Path, names: Sequence[str]) -> bool:
    """True when one of these processes was started in a home and runs."""
    return any(processes.running(home / "run", name) is not None for name in names)


def _migrate(settings: Settings, services: Services, progress: Progress) -> None:
    from db.migrate import is_current

    engine = make_engine(services.owner_url)
    try:
        if not is_current(engine):
            progress("creating tables and views")
            upgrade(services.owner_url)
    finally:
        engine.dispose()
    make_logins(settings, services.owner_url)


def _workers_up(services: Services, progress: Progress) -> None:
    home = services.settings.home
    run = home / "run"
    wanted = [p for p in programs(services) if processes.running(run, p.name, p.fingerprint()) is None]
    if not wanted:
        return
    processes.stop(run, [p.name for p in wanted], patience_s=services.settings.grace_s + 15)
    progress("starting " + ", ".join(p.name for p in wanted))
    for program in wanted:
        processes.launch(run, program, homes.log_file(home, program.name))
    # A wrong setting or a missing module ends a process within moments; better said now than as silence later.
    deadline = time.monotonic() + 1.0
    while time.monotonic() < deadline:
        for program in wanted:
            if processes.running(run, program.name) is None:
                raise ServiceFailed(
                    f"{program.name} ended at once: {homes.last_lines(home / 'logs' / f'{program.name}.log', 4)}"
                )
        time.sleep(0.1)
