"""docker-compose.yml from nothing to results and back up again; the tests build upon one another, in this order."""

import base64
import http.client
import json
import os
import signal

import pytest

from tests.compose.engine import say
from tests.compose.stack import LASTING, Stack

pytestmark = pytest.mark.timeout(3600)

UTTERANCES = """
    SELECT recording, utterance_no, label, round(p_angry::numeric, 4) AS p_angry
      FROM utterance_emotions WHERE archive LIKE '%/calls' ORDER BY 1, 2
"""
#: What a worker that somebody has taken over could try.
DROP_TABLE = """
from sqlalchemy import text
from db.engine import make_engine
from workers.settings import load_settings
make_engine(load_settings().database_url).connect().execute(text("DROP TABLE scores"))
"""
#: Waits within one statement: a batch is in the models for a second or two, less than a client needs to ask again.
IN_THE_MIDDLE = """
DO $$ BEGIN
  FOR n IN 1..6000 LOOP
    IF EXISTS (SELECT FROM stages
                WHERE job_id = {job} AND stage IN ('extract', 'ser', 'ter', 'fuse') AND state = 'running')
    THEN RETURN; END IF;
    PERFORM pg_sleep(0.05);
  END LOOP;
  RAISE 'the gpu worker has begun nothing';
END $$
"""
OPEN = "SELECT count(*) FROM stages WHERE state IN ('waiting', 'ready', 'running')"


def test_one_command_brings_everything_up_healthy(stack: Stack) -> None:
    stack.up()
    for service in LASTING:
        (container,) = stack.containers(service)
        assert stack.inspect(container)["State"]["Running"], service


def test_an_archive_becomes_rows_that_an_analyst_reads(stack: Stack) -> None:
    done = enqueue(stack, "calls")
    assert done["state"] == "done", done
    rows = stack.sql(UTTERANCES)
    assert len(rows) == int(stack.truth("SELECT count(*) FROM scores"))
    assert len({row["recording"] for row in rows}) == len(list((stack.archives / "calls").glob("*.flac")))
    assert {row["label"] for row in rows} >= {"angry", "happy", "sad", "neutral"}


def test_what_lies_elsewhere_is_not_enqueued(stack: Stack) -> None:
    refused = stack.tenor("enqueue", "/opt/tenor/ops/samples/archive", check=False)
    assert refused.returncode == 1 and "TENOR_ALLOWED_ROOTS" in refused.stdout + refused.stderr


def test_nobody_works_with_the_owners_login(stack: Stack) -> None:
    logins = stack.truth(
        "SELECT string_agg(DISTINCT usename, ' ') FROM pg_stat_activity WHERE application_name LIKE 'tenor/%'"
    )
    assert logins in {"", "tenor_worker"}
    refused = stack.tenor("sql", "SELECT * FROM scores", check=False)
    assert refused.returncode == 1 and "ermission denied for table scores" in refused.stdout + refused.stderr
    refused = stack.inside("gpu", "python", "-c", DROP_TABLE)
    assert refused.returncode and "must be owner" in refused.stderr
    seen = stack.inside("gpu", "ls", "/run/secrets").stdout.split()
    assert set(seen) == {"tenor_database_url", "tenor_broker_url", "aws_credentials"}
    assert not stack.inside("gpu", "cat", "/run/secrets/aws_credentials").returncode


def test_containers_are_bounded_and_not_root(stack: Stack) -> None:
    for service in LASTING[2:]:
        container = stack.inspect(stack.containers(service)[0])
        assert stack.inside(service, "id", "-u").stdout.strip() == "10001", service
        assert container["HostConfig"]["Memory"] > 0, service
        assert container["HostConfig"]["ReadonlyRootfs"] and not container["EffectiveCaps"], service
        assert container["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped", service
        assert stack.inside(service, "touch", "/opt/tenor/x").returncode, service


def test_postgres_and_redis_are_out_of_reach_of_who_does_not_need_them(stack: Stack) -> None:
    assert reaches(stack, "gpu", "postgres", 5432) and reaches(stack, "gpu", "redis", 6379)
    assert not reaches(stack, "flower", "postgres", 5432)
    assert not reaches(stack, "beat", "postgres", 5432)
    (network,) = stack.inspect(stack.containers("postgres")[0])["NetworkSettings"]["Networks"].values()
    assert not reaches(stack, "flower", network["IPAddress"], 5432)
    for service in LASTING:
        published = stack.inspect(stack.containers(service)[0])["HostConfig"]["PortBindings"] or {}
        addresses = {binding["HostIp"] for bindings in published.values() for binding in bindings or []}
        assert addresses == ({"127.0.0.1"} if service == "flower" else set()), service


def test_redis_serves_tenor_alone_and_lets_it_stop_nothing(stack: Stack) -> None:
    assert "NOAUTH" in stack.inside("redis", "redis-cli", "ping").stdout
    said = {command: redis(stack, command) for command in ("PING", "FLUSHALL", "CONFIG GET dir", "SHUTDOWN")}
    assert said.pop("PING") == "PONG"
    assert all(answer.startswith("NOPERM") for answer in said.values()), said
    kept = redis(stack, "INFO persistence") + redis(stack, "INFO memory")
    assert "aof_enabled:1" in kept and "maxmemory_policy:noeviction" in kept


def test_flower_answers_who_has_the_password(stack: Stack) -> None:
    login = (stack.folder / "secrets" / "flower_basic_auth").read_text()
    assert flower(stack, None) == 401
    assert flower(stack, "tenor:wrong") == 401
    assert flower(stack, login) == 200


def test_prometheus_reads_the_exporter_when_asked_for(stack: Stack) -> None:
    assert not stack.containers("exporter")
    stack.up("exporter", "prometheus", profile="monitoring")
    query = "/api/v1/query?query=up%7Bjob%3D%22tenor%22%7D"
    found = stack.wait(lambda: json.loads(page(stack.prometheus_port, query)[1])["data"]["result"], "a first reading")
    assert found[0]["value"][1] == "1", found


def test_a_worker_killed_in_the_middle_costs_nothing(stack: Stack) -> None:
    job = json.loads(enqueue_only(stack, "more"))["job_id"]
    (worker,) = stack.containers("gpu")
    process = stack.process(worker)
    stack.truth(IN_THE_MIDDLE.format(job=job))
    say("killing the gpu worker")
    # Behind podman's back, as the kernel does when memory is short.
    os.kill(process, signal.SIGKILL)
    assert int(stack.truth(f"{OPEN} AND job_id = {job}")), "the job was over before the worker was killed"
    stack.wait(
        lambda: stack.inspect(worker)["RestartCount"] and stack.inspect(worker)["State"]["Running"], "it is back"
    )
    complete(stack, job, "more")
    stack.healthy("gpu")


def test_two_of_a_kind_share_the_work(stack: Stack) -> None:
    stack.up(*LASTING, scale=["gpu=2"])
    workers = stack.containers("gpu")
    assert len(workers) == 2
    job = json.loads(enqueue_only(stack, "others"))["job_id"]
    complete(stack, job, "others")
    for worker in workers:
        said = stack.engine.podman("logs", worker)
        assert "succeeded" in said.stdout + said.stderr, f"{worker} has done nothing"


def test_data_outlives_its_containers(stack: Stack) -> None:
    before = stack.sql(UTTERANCES)
    stack.down()
    assert not any(stack.containers(service) for service in LASTING)
    stack.up()
    assert stack.sql(UTTERANCES) == before
    stages = stack.truth("SELECT count(*) FROM stages WHERE stage = 'extract'")
    assert enqueue(stack, "calls")["state"] == "done"
    assert stack.truth("SELECT count(*) FROM stages WHERE stage = 'extract'") == stages, "scored again"


def enqueue(stack: Stack, archive: str) -> dict[str, object]:
    """The outcome of a job that was watched to its end."""
    said = stack.tenor("enqueue", f"/archives/{archive}", "--watch", "--json").stdout
    return dict(json.loads(said[said.index("{") :]))


def enqueue_only(stack: Stack, archive: str) -> str:
    said = stack.tenor("enqueue", f"/archives/{archive}", "--json").stdout
    return said[said.index("{") :]


def complete(stack: Stack, job: int, archive: str) -> None:
    """Wait for a job's end: every recording has its utterances, each scored once."""
    state = f"SELECT state FROM jobs WHERE id = {job}"
    stack.wait(lambda: stack.truth(state) not in {"pending", "queued", "running"}, f"job {job} ends", 400)
    assert stack.truth(state) == "done", stack.logs(*LASTING)
    each = f"""
        SELECT recording, count(*) AS n, count(DISTINCT utterance_no) AS distinct_n
          FROM job_emotions WHERE job_id = {job} GROUP BY 1
    """
    rows = {row["recording"]: row for row in stack.sql(each)}
    assert set(rows) == {file.name for file in (stack.archives / archive).glob("*.flac")}
    assert all(row["n"] == row["distinct_n"] for row in rows.values())
    # The same calls, played quieter: the transcribed ones have as many utterances as their originals.
    calls = "SELECT recording, count(*) AS n FROM utterance_emotions WHERE archive LIKE '%/calls' GROUP BY 1"
    originals = {row["recording"]: row["n"] for row in stack.sql(calls)}
    for recording, row in rows.items():
        if (stack.archives / archive / recording).with_suffix(".txt").exists():
            assert row["n"] == originals[f"{recording.rpartition('-')[0]}-100.flac"], recording


def reaches(stack: Stack, service: str, host: str, port: int) -> bool:
    """True when a container gets a connection to a service."""
    program = f"import socket; socket.create_connection(('{host}', {port}), 3)"
    return stack.inside(service, "python", "-c", program).returncode == 0


def redis(stack: Stack, command: str) -> str:
    """What Redis says to Tenor's user."""
    call = f"REDISCLI_AUTH=$(cat /run/secrets/redis_password) redis-cli --user tenor {command}"
    return stack.inside("redis", "sh", "-c", call).stdout.strip()


def flower(stack: Stack, login: str | None) -> int:
    """Status of Flower's page of tasks."""
    return page(stack.flower_port, "/tasks", login)[0]


def page(port: int, path: str, login: str | None = None) -> tuple[int, str]:
    """Status and content of a page that is published on loopback."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    headers = {"Authorization": f"Basic {base64.b64encode(login.encode()).decode()}"} if login else {}
    connection.request("GET", path, headers=headers)
    response = connection.getresponse()
    return response.status, response.read().decode()
