"""What lies in a queue is data: whatever somebody puts there, nothing of it is run, and the worker goes on."""

import base64
import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from ops.local import processes
from tests.acceptance.house import House
from tests.security.test_weights import trap


@pytest.fixture
def redis(house: House) -> Redis:
    return Redis.from_url(house.services.broker_url)


def message(task: str, body: bytes, content_type: str, encoding: str = "binary") -> str:
    """A message as kombu lays it into Redis."""
    tag = str(uuid.uuid4())
    return json.dumps(
        {
            "body": base64.b64encode(body).decode(),
            "content-encoding": encoding,
            "content-type": content_type,
            "headers": {"lang": "py", "task": task, "id": tag, "root_id": tag, "retries": 0, "timelimit": [None, None]},
            "properties": {
                "correlation_id": tag,
                "delivery_mode": 2,
                "delivery_info": {"exchange": "", "routing_key": "maintenance"},
                "priority": 0,
                "body_encoding": "base64",
                "delivery_tag": tag,
            },
        }
    )


def call(**kwargs: Any) -> bytes:
    return json.dumps([[], kwargs, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}]).encode()


@pytest.mark.parametrize("queue", ["maintenance", "ingest"])
@pytest.mark.parametrize(
    "content_type",
    ["application/x-python-serialize", "application/data", "application/x-yaml", "application/x-msgpack", "text/plain"],
)
def test_what_is_not_json_is_refused_and_the_worker_goes_on(
    house: House, redis: Redis, tmp_path: Path, queue: str, content_type: str
) -> None:
    # Given a worker, and a message whose body makes a folder when it is unpickled
    run, marker, refused = house.home / "run", tmp_path / "sprung", "Received invalid task message"
    worker = processes.running(run, queue)
    before = house.log(queue).count(refused)
    task = {"maintenance": "maintenance.sweep", "ingest": "ingest.archive"}[queue]
    redis.lpush(queue, message(task, trap(marker), content_type))

    # When the worker has come by it
    assert _does_what_comes_next(house, redis, queue)

    # Then it was refused and nothing of it run, and the worker is the same
    assert house.log(queue).count(refused) == before + 1
    assert not marker.exists()
    assert processes.running(run, queue) == worker


def test_pickle_that_calls_itself_json_is_refused(house: House, redis: Redis, tmp_path: Path) -> None:
    marker = tmp_path / "sprung"
    redis.lpush("maintenance", message("maintenance.sweep", trap(marker), "application/json", "utf-8"))

    assert _does_what_comes_next(house, redis, "maintenance")
    assert not marker.exists()


@pytest.mark.parametrize(
    "task", ["os.system", "celery.backend_cleanup", "workers.ledger.sweeper.sweep", "nothing.known"]
)
def test_a_task_that_is_none_of_ours_is_not_run(house: House, redis: Redis, task: str) -> None:
    redis.lpush("maintenance", message(task, call(command="true"), "application/json", "utf-8"))

    assert _does_what_comes_next(house, redis, "maintenance")


@pytest.mark.parametrize("stage_id", [-1, 10**30, "1; DROP TABLE stages", None, {"a": [1]}])
def test_arguments_that_are_none_are_survived(house: House, redis: Redis, stage_id: object) -> None:
    redis.lpush(
        "ingest", message("ingest.archive", call(stage_id=stage_id, job=1), "application/json", "utf-8")
    )  # fmt: skip

    assert _does_what_comes_next(house, redis, "ingest")
    assert house.one("SELECT count(*) FROM jobs") >= 0


def _does_what_comes_next(house: House, redis: Redis, queue: str) -> bool:
    """A proper task behind the last message is done."""
    task = {"maintenance": "maintenance.sweep", "ingest": "ingest.archive"}[queue]
    arguments = {} if queue == "maintenance" else {"stage_id": 10**9, "job": 1}
    sent = message(task, call(**arguments), "application/json", "utf-8")
    tag = json.loads(sent)["headers"]["id"]
    redis.lpush(queue, sent)
    return bool(house.wait(lambda: f"{tag}] succeeded" in house.log(queue), f"{queue} does the next task", 90))
