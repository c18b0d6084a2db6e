"""A new version of Tenor over an old one that works: first the schema, then one worker after the other."""

import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path

from db.engine import make_engine
from db.errors import DatabaseBusy
from db.migrate import current, head, is_current, upgrade
from ops.local import home as homes
from ops.local import processes
from ops.local.errors import ServiceFailed
from ops.local.programs import SUPERVISOR, WORKERS, programs
from ops.local.servers import Progress
from ops.local.services import Services, up
from workers.settings import Settings

#: A migration gives up when it does not get its locks within seconds, and is tried again between two queries.
_TRIES, _PAUSE_S = 10, 3.0
#: A worker loads libraries before it answers.
_READY_S = 180.0


@dataclass(frozen=True, slots=True)
class Upgraded:
    """What an upgrade did."""

    schema_before: str | None
    schema: str
    #: Processes that ran older code or settings, in the order in which they were started anew.
    restarted: list[str]


def run(settings: Settings, progress: Progress = lambda _: None) -> Upgraded:
    """Migrate the database while workers go on, then restart those of older code one at a time.

    Migrations suit the code before them, so that old workers, here and on other machines, work on until it is their
    turn. Jobs go on and keep the version that they pinned; a stage that does not end within TENOR_GRACE_S is given back
    and done again. Raises `DatabaseBusy` when the schema's locks are not to be had, `ServiceFailed` when a worker does
    not come up: the others are then left as they are.
    """
    services = up(settings, workers=False, migrate=False, progress=progress)
    engine = make_engine(services.owner_url)
    try:
        before = current(engine)
        if not is_current(engine):
            progress(f"migrating the schema from {before or 'none'} to {head()}")
            _migrate(services.owner_url, progress)
    finally:
        engine.dispose()
    with homes.lock(settings.home):
        return Upgraded(before, head(), _restart(services, progress))


def _migrate(owner_url: str, progress: Progress) -> None:
    for left in reversed(range(_TRIES)):
        try:
            upgrade(owner_url)
            return
        except DatabaseBusy:
            if not left:
                raise
            progress("the database is busy; trying again")
            time.sleep(_PAUSE_S)


def _restart(services: Services, progress: Progress) -> list[str]:
    home = services.settings.home
    run_folder, restarted = home / "run", list[str]()
    wanted = programs(services)
    # Those that were taken down on purpose stay down.
    stale = [
        program
        for program in wanted
        if processes.running(run_folder, program.name) is not None
        and processes.running(run_folder, program.name, program.fingerprint()) is None
    ]
    if not stale:
        return restarted
    # It would start old code again; it comes last.
    processes.stop(run_folder, [SUPERVISOR])
    for program in sorted(stale, key=lambda program: program.name == SUPERVISOR):
        progress(f"restarting {program.name}")
        processes.stop(run_folder, [program.name], patience_s=services.settings.grace_s + 15)
        processes.launch(run_folder, program, homes.log_file(home, program.name))
        if program.name in WORKERS:
            _await(services, program.name, home)
        restarted.append(program.name)
    return restarted


def _await(services: Services, name: str, home: Path) -> None:
    """Wait until a worker answers, so that no two are away at once."""
    os.environ.update(services.environment())
    from workers.app import app

    own, deadline = f"{name}@{socket.gethostname()}", time.monotonic() + _READY_S
    while time.monotonic() < deadline:
        if processes.running(home / "run", name) is None:
            break
        if app.control.ping(destination=[own], timeout=1.0):
            return
    raise ServiceFailed(
        f"{name} does not answer after its restart: {homes.last_lines(home / 'logs' / f'{name}.log', 4)}"
    )
