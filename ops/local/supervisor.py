"""Keeps a home's processes running: what ends by itself is started again, ever more slowly when it keeps ending.

`tenor up` starts it and `tenor down` ends it first. In containers, the restart policy has this part.
"""

import logging
import time
from collections import defaultdict
from pathlib import Path

from ml.errors import TenorError
from ops.local import home as homes
from ops.local import processes, redis, servers
from ops.local.programs import SUPERVISOR, programs
from ops.local.services import Services, describe
from workers import logs
from workers.settings import Settings, load_settings

logger = logging.getLogger(__name__)

LOOK_S = 1.0
#: A process that lived for so long is started again at once; one that did not, after a pause that doubles.
SETTLED_S = 30.0
LONGEST_PAUSE_S = 60.0


class Pauses:
    """How long to wait before something is started again: ever longer while it keeps ending soon."""

    def __init__(self) -> None:
        self._pause: dict[str, float] = defaultdict(float)
        self._started: dict[str, float] = {}
        self._ended: dict[str, float] = {}

    def may_start(self, name: str, now: float) -> bool:
        """Ask, at every look, about something that does not run; True counts as its start."""
        if name not in self._ended:
            self._ended[name] = now
            if now - self._started.get(name, float("-inf")) >= SETTLED_S:
                self._pause[name] = 0.0
        if now - self._ended[name] < self._pause[name]:
            return False
        del self._ended[name]
        self._started[name] = now
        self._pause[name] = min(LONGEST_PAUSE_S, max(1.0, 2 * self._pause[name]))
        return True


def revive(settings: Settings, pauses: Pauses) -> list[str]:
    """Start again what was started here and has ended; returns the names. Ports stay what they are."""
    revived = []
    with homes.lock(settings.home):
        secrets = homes.read_secrets(settings.home)
        run, now = settings.home / "run", time.monotonic()
        # What `tenor down` ends has no pid file any more: whoever it ends is not started again.
        if settings.broker_url is None and _left(run, "redis"):
            answers = redis.answers(secrets.redis_port, secrets.redis_password)
            if not answers and processes.running(run, "redis") is None and pauses.may_start("redis", now):
                revived.append("redis")
                servers.start_redis(settings.home, secrets)
        if settings.database_url is None and not homes.port_in_use(secrets.postgres_port):
            postgres = servers.postgres_of(settings.home)
            if not postgres.running() and pauses.may_start("postgres", now):
                revived.append("postgres")
                postgres.start(secrets.postgres_port)
        services: Services = describe(settings, secrets)
        for program in programs(services):
            if program.name == SUPERVISOR or not _left(run, program.name):
                continue
            if processes.running(run, program.name) is None and pauses.may_start(program.name, now):
                revived.append(program.name)
                processes.launch(run, program, homes.log_file(settings.home, program.name))
    return revived


def cut_logs(home: Path) -> None:
    """Keep the logs of everything that runs here within bounds, for as long as it runs."""
    for log in [*(home / "logs").glob("*.log"), (home / "postgres").resolve() / "server.log"]:
        if not log.name.endswith(".old.log"):
            homes.cut(log)


def _left(run: Path, name: str) -> bool:
    return (run / f"{name}.json").exists()


def main() -> None:
    """Look every second, for ever."""
    settings, pauses = load_settings(), Pauses()
    logs.set_up("INFO", settings.log_format)
    while True:
        time.sleep(LOOK_S)
        processes.reap()
        cut_logs(settings.home)
        try:
            for name in revive(settings, pauses):
                logger.warning("%s had ended; started again", name)
        except (TenorError, OSError) as exc:
            logger.warning("%s; looking again", exc)


if __name__ == "__main__":
    main()
