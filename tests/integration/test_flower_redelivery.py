"""Flower on the broker of workers: what it reads there must not give a worker's task to another one."""

import base64
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis import Redis

from ops.local import redis
from ops.local.home import free_port

ROOT = Path(__file__).parents[2]
#: Older than Celery's own hour, younger than the workers' six.
AGE_S = 2 * 3600
MESSAGE = {
    "body": base64.b64encode(b"[[], {}, {}]").decode(),
    "content-type": "application/json",
    "content-encoding": "utf-8",
    "headers": {"task": "align.group", "id": "1"},
    "properties": {
        "body_encoding": "base64",
        "delivery_info": {"exchange": "", "routing_key": "align"},
        "delivery_tag": "tag",
        "priority": 0,
    },
}


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[tuple[str, "Redis[str]"]]:
    """A Redis in which a worker has had a long task in hand for two hours."""
    port, folder = free_port(), tmp_path / "redis"
    folder.mkdir()
    process = redis.start(folder, port, "secret", "owner", tmp_path / "redis.log")
    client: Redis[str] = Redis(port=port, password="owner", decode_responses=True)
    client.hset("unacked", "tag", json.dumps([MESSAGE, "", "align"]))
    client.zadd("unacked_index", {"tag": time.time() - AGE_S})
    try:
        yield f"redis://{redis.WORKER}:secret@127.0.0.1:{port}/0", client
    finally:
        process.terminate()
        process.wait(timeout=30)


def test_flower_leaves_a_long_task_to_the_worker_that_has_it(broker: tuple[str, "Redis[str]"], tmp_path: Path) -> None:
    url, client = broker
    with _flower(["-A", "ops.flower.app"], url, tmp_path) as ask:
        # Questions that nobody answers: each ends with a look at what seems forgotten.
        for _ in range(3):
            ask("/api/workers?refresh=1")

        assert client.hexists("unacked", "tag")
        assert client.llen("align") == 0


def test_flower_with_the_brokers_address_alone_would_give_it_to_another(
    broker: tuple[str, "Redis[str]"], tmp_path: Path
) -> None:
    url, client = broker
    with _flower(["--broker", url], url, tmp_path) as ask:
        ask("/api/workers?refresh=1")

        assert not client.hexists("unacked", "tag")
        assert client.llen("align") == 1, "which is why it is started otherwise"


def test_flowers_application_is_the_workers_without_their_tasks() -> None:
    code = (
        "import sys, json\n"
        "from ops.flower.app import app\n"
        "from workers.app import app as workers\n"
        "app.loader.import_default_modules()\n"
        "same = ('visibility_timeout', 'broker_transport_options', 'result_backend_transport_options')\n"
        "assert all(app.conf[name] == workers.conf[name] for name in same)\n"
        "assert app.conf.visibility_timeout > 3600\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=_environment({}), capture_output=True, text=True, check=True
    )

    modules = set(json.loads(done.stdout))
    assert not {"torch", "numpy", "sqlalchemy", "transformers"} & modules
    assert not [name for name in modules if name.startswith("workers.stages")]


@pytest.mark.parametrize("login", [{}, {"FLOWER_BASIC_AUTH": "tenor:"}])
def test_flower_does_not_start_without_a_login(login: dict[str, str], tmp_path: Path) -> None:
    done = subprocess.run(
        _command(["-A", "ops.flower.app"]),
        cwd=ROOT,
        env=_environment({"TENOR_HOME": str(tmp_path), **login}),
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode != 0
    assert "FLOWER_BASIC_AUTH" in done.stderr


class _flower:
    """Flower as it is started in earnest, apart from the options before its name; asks it when it answers."""

    def __init__(self, options: list[str], broker_url: str, folder: Path) -> None:
        self._port = free_port()
        secret = folder / "login"
        # Variables that would open it: the configuration goes before them.
        open_it = {"FLOWER_READ_ONLY": "false", "FLOWER_PERSISTENT": "true", "FLOWER_UNAUTHENTICATED_API": "true"}
        secret.write_text("tenor:pass word\n")
        self._environment = _environment(
            {
                "TENOR_HOME": str(folder),
                "TENOR_BROKER_URL": broker_url,
                "FLOWER_BASIC_AUTH_FILE": str(secret),
                "FLOWER_ADDRESS": "127.0.0.1",
                "FLOWER_PORT": str(self._port),
                **open_it,
            }
        )
        # Whoever waits less than a second for answers looks for forgotten messages at the end of it; the configuration
        # has three, which alone would spare the message today. It is not to rest on that.
        self._command = _command(options, "--inspect_timeout=500")
        self._folder = folder

    def __enter__(self) -> Callable[[str], None]:
        with (self._folder / "flower.log").open("wb") as log:
            self._process = subprocess.Popen(
                self._command, cwd=ROOT, env=self._environment, stdout=log, stderr=subprocess.STDOUT
            )
        deadline = time.monotonic() + 60
        while self._status("/healthcheck") != 200:
            assert time.monotonic() < deadline and self._process.poll() is None, self._log()
            time.sleep(0.05)
        assert self._status("/api/workers") == 401
        assert self._status("/api/worker/shutdown/any", "tenor:pass word", data=b"") == 403
        return self._ask

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(timeout=30)
        assert not list(self._folder.glob("flower*.db*")), "what it saw is not kept as a pickle"

    def _ask(self, path: str) -> None:
        assert self._status(path, "tenor:pass word") == 200, self._log()

    def _log(self) -> str:
        return (self._folder / "flower.log").read_text()

    def _status(self, path: str, login: str = "", data: bytes | None = None) -> int | None:
        request = urllib.request.Request(f"http://127.0.0.1:{self._port}{path}", data=data)
        if login:
            request.add_header("Authorization", "Basic " + base64.b64encode(login.encode()).decode())
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as refused:
            return refused.code
        except OSError:
            return None


def _command(options: list[str], *more: str) -> list[str]:
    return [sys.executable, "-m", "celery", *options, "flower", "--conf=ops/flower/flowerconfig.py", *more]


def _environment(more: dict[str, str]) -> dict[str, str]:
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("TENOR_", "FLOWER_"))}
    return {**plain, "PYTHONPATH": str(ROOT), **more}
