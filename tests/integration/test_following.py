"""Following a job to its end, through whatever happens to the database, the workers and the person."""

import json
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from db.engine import make_engine
from db.errors import DatabaseUnavailable
from ops import access
from ops import follow as following
from ops.follow import follow, nobody_works
from tests.integration.cli_world import Notes, Tenor, World, new_world


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    with new_world(database_url) as made:
        yield made


@pytest.fixture
def tenor(database_url: str, tmp_path: Path) -> Tenor:
    return Tenor(database_url, tmp_path)


def test_following_ends_with_the_job_and_times_its_first_score(world: World) -> None:
    # Given a job that scores something after a second and ends after two
    job = world.job()
    world.recording(job, "scoring")
    begun = time.monotonic()

    def work() -> None:
        time.sleep(1)
        world.batch(job, seconds=30, utterances=3)
        time.sleep(1)
        world.finish(job)

    worker = threading.Thread(target=work)
    worker.start()

    # When it is followed
    notes, first = Notes(), []
    followed = follow(world.engine, job, notes, on_first_score=first.append)
    worker.join()

    # Then
    assert followed.status.state == "done"
    assert followed.first_score_at == first[0]
    assert 0.9 < first[0] - begun < 1.8
    assert notes.seen[-1].state == "done"


def test_a_job_that_scores_nothing_new_has_no_first_score(world: World) -> None:
    job = world.job("done")
    world.recording(job, "done", reused=True)

    assert follow(world.engine, job, Notes()).first_score_at is None


def test_following_survives_the_loss_of_its_connection(world: World, owner_url: str) -> None:
    # Given a job that is followed
    job = world.job()
    notes = Notes()
    follower = threading.Thread(target=follow, args=(world.engine, job, notes))
    follower.start()
    while not notes.seen:
        time.sleep(0.05)

    # When Postgres cuts the line, and the job ends afterwards
    owner = make_engine(owner_url)
    with owner.connect() as conn:
        conn.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE usename = :name AND datname = current_database() AND pid <> pg_backend_pid()"
            ),
            {"name": world.engine.url.username},
        )
    time.sleep(1.0)
    world.finish(job)
    follower.join(timeout=20)

    # Then the follower said so and saw the end
    assert not follower.is_alive()
    assert any("does not answer" in line for line in notes.lines)
    assert any("answers again" in line for line in notes.lines)
    assert notes.seen[-1].state == "done"


def test_following_gives_up_when_the_database_stays_away() -> None:
    nowhere = make_engine("postgresql+psycopg2://tenor@127.0.0.1:1/tenor")

    with pytest.raises(DatabaseUnavailable, match="has not answered"):
        follow(nowhere, 1, Notes(), patience_s=0.5)


def test_work_that_nobody_takes_is_said(world: World) -> None:
    # Given a job whose work has been ready for two minutes, with no worker anywhere
    job = world.job(listed=False)
    world.ingest_stage(job, "ready", ready_s_ago=120)
    with world.engine.connect() as conn:
        assert nobody_works(conn, job, 60)
    notes = Notes()
    follower = threading.Thread(
        target=follow,
        args=(world.engine, job, notes),
        kwargs={"stall_s": 1.0, "broker_answers": lambda: True},
    )

    # When it is followed for a while
    follower.start()
    deadline = time.monotonic() + 15
    while not notes.lines and time.monotonic() < deadline:
        time.sleep(0.1)
    world.finish(job)
    follower.join(timeout=10)

    # Then there is a hint, once
    (line,) = notes.lines
    assert "no worker takes it" in line
    assert "tenor up" in line


def test_workers_that_run_and_have_not_begun_are_not_said_to_be_missing(world: World) -> None:
    job = world.job(listed=False)
    world.ingest_stage(job, "ready", ready_s_ago=120)
    notes = Notes()
    follower = threading.Thread(
        target=follow,
        args=(world.engine, job, notes),
        kwargs={"stall_s": 1.0, "workers_run": lambda: True},
    )

    follower.start()
    deadline = time.monotonic() + 15
    while not notes.lines and time.monotonic() < deadline:
        time.sleep(0.1)
    world.finish(job)
    follower.join(timeout=10)

    (line,) = notes.lines
    assert "they run, and load their models first" in line
    assert "tenor up" not in line


def test_a_paused_job_is_no_stall_and_ctrl_c_says_that_it_stays_paused(world: World, tenor: Tenor) -> None:
    job = world.job(listed=False)
    world.ingest_stage(job, "ready", ready_s_ago=120)
    with world.engine.begin() as conn:
        conn.execute(text("UPDATE jobs SET paused_at = now() WHERE id = :j"), {"j": job})
    process = tenor.start("status", str(job), "--watch")
    assert process.stderr is not None
    first = process.stderr.readline()

    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)

    assert first.rstrip().endswith("paused")
    assert process.returncode == 130
    assert f"Job {job} stays paused. Go on: tenor resume {job}" in err
    assert "goes on" not in err


def test_work_that_waits_while_others_are_worked_on_is_no_stall(world: World) -> None:
    waiting, running = world.job(listed=False), world.job(listed=False)
    world.ingest_stage(waiting, "ready", ready_s_ago=120)
    world.ingest_stage(running, "running")

    with world.engine.connect() as conn:
        assert not nobody_works(conn, waiting, 60)


def test_ctrl_c_leaves_the_job_running_and_says_how_to_go_on(world: World, tenor: Tenor) -> None:
    # Given a job that is followed by the command
    job = world.job()
    process = tenor.start("status", str(job), "--watch", "--json")
    assert process.stderr is not None
    assert f"job {job}:" in process.stderr.readline()

    # When it is interrupted
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)

    # Then
    assert process.returncode == 130
    assert json.loads(out) == {"job_id": job, "detached": True}
    assert f"tenor status {job} --watch" in err
    assert f"tenor cancel {job}" in err
    assert "Traceback" not in err


def test_watching_ends_with_one_document(world: World, tenor: Tenor) -> None:
    job = world.job()
    process = tenor.start("status", str(job), "--watch", "--json")
    assert process.stderr is not None
    process.stderr.readline()

    world.finish(job)
    out, _ = process.communicate(timeout=20)

    assert process.returncode == 0
    assert json.loads(out)["state"] == "done"


def test_a_broker_that_goes_away_and_comes_back_is_said(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a job in which nothing moves, and a Redis that misses two pings
    monkeypatch.setattr(following, "BROKER_CHECK_S", 0.5)
    job = world.job(listed=False)
    answers = iter([True, False, False])
    notes = Notes()
    follower = threading.Thread(
        target=follow,
        args=(world.engine, job, notes),
        kwargs={"broker_answers": lambda: next(answers, True)},
    )

    # When it is followed
    follower.start()
    deadline = time.monotonic() + 20
    while len(notes.lines) < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    world.finish(job)
    follower.join(timeout=10)

    # Then each change is said once
    assert [line.partition(";")[0] for line in notes.lines] == [
        "Redis does not answer",
        "Redis answers again.",
    ]


def test_a_broker_that_is_not_there_does_not_answer() -> None:
    reached = access.Access("postgresql://", "postgresql://", "redis://127.0.0.1:1/0")

    assert reached.broker_answers() is False
