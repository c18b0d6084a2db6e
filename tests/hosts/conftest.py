"""Servers in one network namespace, workers in two others, which know of each other only through the servers."""

import os
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2
import psycopg2.extras
import pytest
from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy.engine import make_url

from db.engine import make_engine
from db.migrate import upgrade
from db.roles import WRITER, create_login
from ops.local import redis
from ops.local.postgres import Postgres
from tests.acceptance.house import House
from tests.faults.rig import SETTINGS
from tests.hosts.network import Network
from tests.s3 import Server, serving
from tests.waiting import until

HOSTS = ("near", "far")
BUCKET = "calls"


@dataclass
class Host(House):
    """A machine: a network, a name and a home of its own."""

    before: list[str] = field(default_factory=list)

    def command(self, *arguments: str) -> list[str]:
        return [*self.before, *super().command(*arguments)]


@dataclass
class Site:
    """All machines."""

    network: Network
    hosts: dict[str, Host]
    owner_url: str
    s3: Server
    broker: Redis

    def rows(self, sql: str, **values: Any) -> list[Any]:
        with self.connected() as cursor:
            cursor.execute(sql, values or None)
            return list(cursor.fetchall())

    @contextmanager
    def connected(self) -> Iterator[Any]:
        """A cursor of a connection of its own, as the owner."""
        url = make_url(self.owner_url)
        connection = psycopg2.connect(
            host=url.host, port=url.port, user=url.username, password=url.password, dbname=url.database
        )
        connection.autocommit = True
        try:
            with connection.cursor(cursor_factory=psycopg2.extras.NamedTupleCursor) as cursor:
                yield cursor
        finally:
            connection.close()

    def scored_on(self, job: int) -> dict[str, int]:
        """Batches' stages that each host has finished for a job."""
        found = self.rows(
            """
            SELECT split_part(e.detail ->> 'owner', '/', 1) AS host, count(*) AS stages
              FROM events e JOIN stages s ON s.id = e.stage_id AND s.batch_id IS NOT NULL
             WHERE e.kind = 'stage.done' AND e.job_id = %(job)s GROUP BY 1
            """,
            job=job,
        )
        return {row.host: row.stages for row in found}

    def ended(self, job: int) -> str | None:
        (row,) = self.rows("SELECT state FROM jobs WHERE id = %(job)s", job=job)
        return str(row.state) if row.state in ("done", "failed", "cancelled") else None

    def until(self, condition: Any, what: str, timeout_s: float = 900) -> Any:
        return until(condition, what, timeout_s, self.state, every_s=0.1)

    def state(self) -> str:
        """What is left to do, for a failing test."""
        logs = "\n".join(f"=== {name}\n{host.logs()}" for name, host in self.hosts.items())
        open_stages = self.rows("SELECT stage, state, owner, error_code, error FROM stages WHERE state <> 'done'")
        return f"{open_stages}\n{logs}"

    def done(self, archive: str, host: str = "near") -> int:
        """A job over an archive that a host enqueues, once it is done."""
        job = int(self.hosts[host].json("enqueue", archive)["job_id"])
        assert self.until(lambda: self.ended(job), f"job {job} ends") == "done"
        return job

    def forget(self) -> None:
        """Forget every archive and job, so that nothing can be reused; the workers stay."""
        with self.connected() as cursor:
            cursor.execute("TRUNCATE archives, events, recordings, speakers CASCADE")
        self.broker.flushall()


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.fail("Network namespaces need root and the command `ip` (iproute2): run `make test-hosts` as root.")
    network = Network(HOSTS)
    folder = Path(tempfile.mkdtemp(prefix="tenor-hosts-"))
    folder.chmod(0o755)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        stack.callback(network.remove)
        network.make()
        stack.enter_context(network.among_servers())
        owner_url, worker_url = stack.enter_context(_postgres(folder, network.address))
        broker_url, broker = stack.enter_context(_redis(folder, network.address))
        s3 = stack.enter_context(serving(network.address))
        s3.put("objects", {})
        variables = SETTINGS | s3.environment | {
            # The machines of this test share one processor.
            "TENOR_STAGE_LIMIT_S": "900",
            "TENOR_DATABASE_URL": worker_url,
            "TENOR_OWNER_URL": owner_url,
            "TENOR_BROKER_URL": broker_url,
            "TENOR_ARTIFACTS_URL": "s3://objects/between-stages",
            "TENOR_ALLOWED_ROOTS": f"s3://{BUCKET}",
        }  # fmt: skip
        hosts = {name: Host(folder / name, variables, before=network.on(name)) for name in HOSTS}
        for host in hosts.values():
            stack.callback(host.down)
            host.run("up", timeout_s=300)
        yield Site(network, hosts, owner_url, s3, broker)


@contextmanager
def _postgres(folder: Path, address: str) -> Iterator[tuple[str, str]]:
    postgres, password = Postgres(folder / "postgres"), secrets.token_hex(8)
    postgres.initialise("tenor_owner", password)
    with (postgres.data / "pg_hba.conf").open("a") as file:
        file.write(f"host all all {address}/24 scram-sha-256\n")
    try:
        postgres.start(5432, "-c", f"listen_addresses=127.0.0.1,{address}", "-c", "fsync=off")
        owner = f"postgresql+psycopg2://tenor_owner:{password}@{address}:5432/postgres"
        upgrade(owner)
        with make_engine(owner).begin() as conn:
            create_login(conn, "tenor_worker", password, WRITER)
        yield owner, owner.replace("tenor_owner", "tenor_worker")
    finally:
        postgres.stop()


@contextmanager
def _redis(folder: Path, address: str) -> Iterator[tuple[str, Redis]]:
    password = secrets.token_hex(8)
    command = [
        str(redis.binary()),
        "--bind",
        address,
        "--port",
        "6379",
        "--requirepass",
        password,
        "--dir",
        str(folder),
    ]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    client = Redis(host=address, password=password, socket_timeout=5)
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                client.ping()
                break
            except RedisError:
                assert process.poll() is None and time.monotonic() < deadline, "Redis did not start"
                time.sleep(0.05)
        yield f"redis://:{password}@{address}:6379/0", client
    finally:
        client.close()
        process.terminate()
        process.wait()
