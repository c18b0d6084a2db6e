"""Looking at Redis past Celery: is it there, and what waits in it."""

from celery import Celery
from redis import Redis
from redis.exceptions import RedisError

from workers.errors import BrokerUnavailable
from workers.queues import PRIORITY_OF_STAGE, QUEUES

#: kombu keeps one Redis list per priority, named queue + separator + priority (none for 0).
_SEPARATOR = "\x06\x16"
_PATIENCE_S = 5.0


def _client(app: Celery) -> Redis:
    return Redis.from_url(
        str(app.conf.broker_url), socket_timeout=_PATIENCE_S, socket_connect_timeout=_PATIENCE_S
    )  # fmt: skip


def ping(app: Celery) -> None:
    """Raise `BrokerUnavailable` unless Redis answers."""
    try:
        with _client(app) as client:
            client.ping()
    except (RedisError, OSError, ValueError) as exc:
        raise BrokerUnavailable(f"Redis does not answer ({type(exc).__name__})") from exc


def waiting(app: Celery) -> dict[str, int] | None:
    """Messages waiting per queue, None when Redis does not say."""
    keys = {q: [q, *(f"{q}{_SEPARATOR}{p}" for p in set(PRIORITY_OF_STAGE.values()) if p)] for q in QUEUES}
    try:
        with _client(app) as client:
            return {queue: sum(int(client.llen(key)) for key in names) for queue, names in keys.items()}  # type: ignore[arg-type]
    except (RedisError, OSError):
        return None
