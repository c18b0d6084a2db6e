"""How a command reaches Postgres and Redis: those that the settings name, or the embedded ones."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ml.errors import TenorError
from ops.interrupted import STARTED, leaving
from workers.settings import Settings

if TYPE_CHECKING:
    from ops.local import Services

Say = Callable[[str], None]


class ServicesDown(TenorError):
    """The embedded services have never been started."""

    code = "services_down"
    hint = "Start with `tenor up`, or set TENOR_DATABASE_URL and TENOR_BROKER_URL to use others."


@dataclass(frozen=True, slots=True)
class Access:
    """Where the services are. The URLs hold passwords."""

    database_url: str
    analyst_url: str
    broker_url: str | None
    flower_url: str | None = None
    flower_user: str | None = None
    flower_password: str | None = None
    #: TENOR_HOME, where worker processes of this machine are written down.
    home: Path | None = None
    #: True when Postgres is the embedded one, whose generated passwords may be shown to their owner.
    embedded: bool = False

    def broker_answers(self) -> bool:
        """True when Redis replies to a ping."""
        import redis

        if self.broker_url is None:
            return False
        client = redis.Redis.from_url(self.broker_url, socket_connect_timeout=2, socket_timeout=2)
        try:
            return bool(client.ping())
        except (redis.RedisError, OSError):
            return False
        finally:
            client.close()

    def workers_run(self) -> bool:
        """True when every worker that was started on this machine runs."""
        from ops.local import workers_run

        return self.home is not None and workers_run(self.home)


def start(settings: Settings, say: Say) -> Access:
    """Start whatever is not running yet (embedded servers, workers, Flower) and say so while it lasts."""
    from ops.local import up

    with leaving(STARTED):
        services = up(settings, progress=say)
    # Modules of `workers` read their settings from the environment when they are imported.
    os.environ.update(services.environment())
    return _of(settings, services)


def reach(settings: Settings, say: Say) -> Access:
    """Services to give work to: those that the settings name, else the embedded ones (started)."""
    if settings.database_url is not None and settings.broker_url is not None:
        return _named(settings)
    return start(settings, say)


def database(settings: Settings, say: Say) -> str:
    """URL of a Postgres to write to: the one that the settings name, else the embedded one (started)."""
    return settings.database_url or start(settings, say).database_url


def look(settings: Settings) -> Access:
    """Services to read from; starts nothing. Raises `ServicesDown` where there have never been any."""
    if settings.database_url is not None:
        return _named(settings)
    from ops.local import known

    services = known(settings)
    if services is None:
        raise ServicesDown(f"there is no database in {settings.home} yet")
    return _of(settings, services)


def _named(settings: Settings) -> Access:
    assert settings.database_url is not None
    return Access(
        database_url=settings.database_url,
        analyst_url=settings.analyst_url or settings.database_url,
        broker_url=settings.broker_url,
        flower_url=settings.flower_url,
        home=settings.home,
    )


def _of(settings: Settings, services: "Services") -> Access:
    return Access(
        database_url=services.database_url,
        analyst_url=services.analyst_url,
        broker_url=services.broker_url,
        flower_url=settings.flower_url or services.flower_url,
        flower_user=services.flower_user,
        flower_password=services.flower_password,
        home=settings.home,
        embedded=settings.database_url is None,
    )
