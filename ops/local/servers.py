"""The embedded Postgres and Redis of a home: started when they do not run, on a port that is free."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ops.local import home as homes
from ops.local import processes, redis
from ops.local.postgres import Postgres

OWNER = "tenor_owner"
Progress = Callable[[str], None]


def postgres_of(home: Path) -> Postgres:
    """The home's Postgres, running or not."""
    postgres = Postgres(home / "postgres")
    if any((home / "logs").glob("*.log")):  # a home that has been up; a new one has nothing to take up
        postgres.adopt()
    return postgres


def postgres_up(home: Path, secrets: homes.Secrets, progress: Progress) -> homes.Secrets:
    """Start Postgres unless it runs; returns the secrets with the port it has."""
    postgres = postgres_of(home)
    if postgres.running():
        return replace(secrets, postgres_port=postgres.port() or secrets.postgres_port)
    if not (postgres.data / "tenor.ready").exists():
        progress("creating the database")
    postgres.initialise(OWNER, secrets.owner_password)
    if homes.port_in_use(secrets.postgres_port):
        secrets = replace(secrets, postgres_port=homes.free_port())
    progress("starting Postgres")
    postgres.start(secrets.postgres_port)
    return secrets


def redis_up(home: Path, secrets: homes.Secrets, progress: Progress) -> homes.Secrets:
    """Start Redis unless it runs; returns the secrets with the port it has."""
    if redis.answers(secrets.redis_port, secrets.redis_password):
        return secrets
    processes.stop(home / "run", ["redis"])
    if homes.port_in_use(secrets.redis_port):
        secrets = replace(secrets, redis_port=homes.free_port())
    progress("starting Redis")
    start_redis(home, secrets)
    return secrets


def start_redis(home: Path, secrets: homes.Secrets) -> None:
    """Start Redis on its port and write its pid file."""
    process = redis.start(
        home / "redis",
        secrets.redis_port,
        secrets.redis_password,
        secrets.redis_owner_password,
        homes.log_file(home, "redis"),
    )
    processes.record(home / "run", "redis", process.pid, "")
