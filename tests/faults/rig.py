"""A pipeline to break: Postgres and Redis in one home, workers in another that reaches them through proxies."""

import contextlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import psycopg2
import psycopg2.extras
from redis import Redis
from sqlalchemy.engine import make_url

from ops.local import home as homes
from ops.local import processes, servers
from ops.local.services import Services, up
from tests.acceptance.house import House
from tests.faults.oracle import Values, all_values
from tests.faults.proxy import Proxy
from tests.waiting import until
from workers.settings import Settings

#: Small units and short intervals: many stages run at any time, and what is lost is soon found.
SETTINGS = {
    "TENOR_BATCH_S": "16",
    "TENOR_OPEN_BATCHES": "4",
    "TENOR_GROUP_S": "12",
    "TENOR_OPEN_GROUPS": "4",
    "TENOR_SWEEP_S": "2",
    "TENOR_LEASE_S": "8",
    "TENOR_RESEND_S": "4",
    "TENOR_PATIENCE_S": "20",
    "TENOR_GRACE_S": "8",
    "TENOR_DEAF_S": "6",
    "TENOR_STAGE_LIMIT_S": "60",
    "TENOR_MEMORY_MB": "2500",
}
LEASE_S = float(SETTINGS["TENOR_LEASE_S"])
#: A recording that cannot be interrupted costs the longest stage each time it is tried.
PLANTED_SETTINGS = {"TENOR_STAGE_LIMIT_S": "30", "TENOR_MAX_TRIES": "2", "TENOR_GROUP_FILES": "4"}
PLANTED = Path(__file__).parent / "planted"


class Rig:
    """Servers, proxies and workers. `servers` is where Postgres and Redis live, `workers` where the pipeline does."""

    def __init__(self, folder: Path, *, planted: bool = False) -> None:
        folder.mkdir(exist_ok=True)
        self.home = folder / "servers"
        self.services: Services = up(Settings(home=self.home), workers=False)
        self.secrets = homes.read_secrets(self.home)
        self.postgres = Proxy(self.secrets.postgres_port)
        self.redis = Proxy(self.secrets.redis_port)
        # A folder of its own, which a test can put on a small disk.
        self.store = folder / "store"
        self.store.mkdir()
        through = {
            "TENOR_DATABASE_URL": self._through(self.services.database_url, self.postgres),
            "TENOR_BROKER_URL": self._through(self.services.broker_url, self.redis),
            "TENOR_OWNER_URL": self.services.owner_url,
            "TENOR_ARTIFACTS_URL": f"file://{self.store}/artifacts",
        }
        path = {"PYTHONPATH": str(PLANTED), **PLANTED_SETTINGS} if planted else {}
        self.workers = House(folder / "workers", {**SETTINGS, **through, **path})
        self.workers.run("up")

    @staticmethod
    def _through(url: str, proxy: Proxy) -> str:
        return make_url(url).set(port=proxy.port).render_as_string(hide_password=False)

    # What a test asks and tells, past the proxies.

    @contextlib.contextmanager
    def connected(self) -> "Iterator[psycopg2.extensions.cursor]":
        """A cursor of a connection of its own, as the owner."""
        url = make_url(self.services.owner_url)
        connection = psycopg2.connect(
            host=url.host, port=url.port, user=url.username, password=url.password, dbname=url.database
        )
        connection.autocommit = True
        try:
            with connection.cursor(cursor_factory=psycopg2.extras.NamedTupleCursor) as cursor:
                yield cursor
        finally:
            connection.close()

    def rows(self, sql: str, **values: Any) -> list[Any]:
        with self.connected() as cursor:
            cursor.execute(sql, values or None)
            return list(cursor.fetchall())

    def broker(self) -> Redis:
        """A client that goes straight to Redis."""
        return Redis(port=self.secrets.redis_port, password=self.secrets.redis_owner_password)

    def enqueue(self, archive: Path, *options: str) -> int:
        return int(self.workers.json("enqueue", str(archive), *options)["job_id"])

    def ended(self, job_id: int) -> str | None:
        """The state of a job that has ended, else None; None too while Postgres is away."""
        with contextlib.suppress(psycopg2.Error):
            state = str(self.rows("SELECT state FROM jobs WHERE id = %(j)s", j=job_id)[0].state)
            return state if state in {"done", "failed", "cancelled"} else None
        return None

    def wait(self, job_id: int, timeout_s: float) -> str:
        return str(self.until(lambda: self.ended(job_id), timeout_s, f"job {job_id} ends"))

    def until(self, condition: Callable[[], Any], timeout_s: float, what: str) -> Any:
        return until(condition, what, timeout_s, lambda: f"{self.state()}\n{self.workers.logs()}", every_s=0.02)

    def state(self) -> str:
        """What is left to do, for a failing test."""
        with contextlib.suppress(psycopg2.Error):
            open_stages = self.rows("""
                SELECT stage, state, attempt, tries, owner, error_code, ready_at - now() AS pause, sent_at
                  FROM stages WHERE state NOT IN ('done', 'cancelled', 'waiting') LIMIT 30
            """)
            return "\n".join(map(str, open_stages))
        return "Postgres is away"

    def values(self, job_id: int) -> Values:
        with self.connected() as cursor:
            return all_values(cursor, job_id)

    def reset(self) -> None:
        """Forget every archive and job, so that nothing can be reused; the workers stay."""
        with self.connected() as cursor:
            cursor.execute("TRUNCATE archives, events, recordings, speakers CASCADE")
        self.broker().flushall()
        shutil.rmtree(self.store / "artifacts", ignore_errors=True)

    # Processes.

    def pid(self, name: str) -> int | None:
        """The main process of a worker, or Redis."""
        home = self.home if name == "redis" else self.workers.home
        return processes.running(home / "run", name)

    def start_redis(self) -> None:
        servers.start_redis(self.home, self.secrets)

    def restart_postgres(self, mode: Literal["fast", "immediate"]) -> None:
        postgres = servers.postgres_of(self.home)
        postgres.stop(mode)
        postgres.start(self.secrets.postgres_port)

    def start_another(self, name: str) -> None:
        """A second copy of a worker or of beat, beside the one that runs."""
        self.workers.start_another(name)

    def stop_others(self) -> None:
        self.workers.stop_others()

    def close(self) -> None:
        self.workers.down()
        House(self.home).down()
        self.postgres.close()
        self.redis.close()
