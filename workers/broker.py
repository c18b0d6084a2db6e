"""Looking at Redis past Celery: is it there, and what waits in it."""

import ssl
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from redis import Redis
from redis.exceptions import RedisError

from workers.errors import BrokerUnavailable
from workers.queues import PRIORITY_OF_STAGE, QUEUES

if TYPE_CHECKING:
    from celery import Celery

#: kombu keeps one Redis list per priority, named queue + separator + priority (none for 0).
_SEPARATOR = "\x06\x16"
#: kombu's hash of what was delivered and not acknowledged.
_HELD = "unacked"
_PATIENCE_S = 5.0


class Memory(NamedTuple):
    """Bytes that Redis has taken, and may take (0: no limit)."""

    used: int
    limit: int


def tls(url: str | None) -> dict[str, Any] | None:
    """How Celery connects to a `rediss://` address, None for `redis://`.

    Celery would take any certificate unless it is told not to. What the address says after `?` (`ssl_ca_certs`,
    `ssl_certfile`, `ssl_keyfile`) is taken over; without a CA it is the system's that count.
    """
    parts = urlsplit(url or "")
    if parts.scheme != "rediss":
        return None
    given = {name: value for name, value in parse_qsl(parts.query) if name.startswith("ssl_")}
    return {**given, "ssl_cert_reqs": ssl.CERT_REQUIRED, "ssl_check_hostname": True}


def connect(url: str) -> Redis:
    """A client that waits for nothing for long; it connects when first used."""
    return Redis.from_url(url, socket_timeout=_PATIENCE_S, socket_connect_timeout=_PATIENCE_S)


def _client(app: "Celery") -> Redis:
    return connect(str(app.conf.broker_url))


def ping(app: "Celery") -> None:
    """Raise `BrokerUnavailable` unless Redis answers."""
    try:
        with _client(app) as client:
            client.ping()
    except (RedisError, OSError, ValueError) as exc:
        raise BrokerUnavailable(f"Redis does not answer ({type(exc).__name__})") from exc


def waiting(app: "Celery") -> dict[str, int] | None:
    """Messages waiting per queue, None when Redis does not say."""
    try:
        with _client(app) as client:
            return lengths(client)
    except (RedisError, OSError):
        return None


def lengths(client: Redis) -> dict[str, int]:
    """Messages waiting per queue."""
    keys = {q: [q, *(f"{q}{_SEPARATOR}{p}" for p in set(PRIORITY_OF_STAGE.values()) if p)] for q in QUEUES}
    return {queue: sum(int(client.llen(key)) for key in names) for queue, names in keys.items()}  # type: ignore[arg-type]


def held(client: Redis) -> int:
    """Messages that workers have taken and not acknowledged."""
    return int(client.hlen(_HELD))  # type: ignore[arg-type]


def memory(client: Redis) -> Memory:
    """What Redis has taken of its memory."""
    said = client.info("memory")
    return Memory(int(said["used_memory"]), int(said.get("maxmemory", 0)))  # type: ignore[index,union-attr]
