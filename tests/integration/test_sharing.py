"""Whose work is begun next: priorities, fair shares, pauses."""

from collections import Counter
from collections.abc import Iterator
from functools import partial

import pytest
from sqlalchemy import text

from db.engine import make_engine
from tests.integration.planting import Plant
from tests.integration.working import Work
from workers.errors import JobEnded
from workers.jobs.changes import cancel_job, pause_job, resume_job
from workers.settings import Settings


@pytest.fixture
def work(database_url: str) -> Iterator[Work]:
    with make_engine(database_url).connect() as conn:
        plant = Plant(conn)
        settings = Settings(open_groups=6, open_batches=4)
        yield Work(plant, plant.archive(), plant.version(plant.profile(), 1), settings)


def with_groups(work: Work, count: int, **more: object) -> int:
    """A job with so many groups of one recording."""
    job = work.job(**more)
    for alignment in work.pending(job, count):
        work.group(job, [alignment])
    return job


def admitted(work: Work) -> Counter[int]:
    stages = work.admit()
    rows = work.plant.rows("SELECT job_id FROM stages WHERE id = ANY(:ids)", ids=stages)
    return Counter(row["job_id"] for row in rows)


def test_a_job_that_comes_later_gets_its_share_of_a_long_queue(work: Work) -> None:
    first = with_groups(work, 20)
    assert admitted(work) == {first: 6}
    second = with_groups(work, 20)

    # When workers have taken three of the first job's groups to the end
    work.conn.execute(text("UPDATE stages SET state = 'cancelled' WHERE id IN (SELECT min(id) FROM stages)"))
    for _ in range(2):
        smallest = "SELECT min(id) FROM stages WHERE state = 'ready'"
        work.conn.execute(text(f"UPDATE stages SET state = 'cancelled' WHERE id = ({smallest})"))

    # Then the free places are the second's, until both have as many
    assert admitted(work) == {second: 3}


def test_equal_jobs_share_alike_from_the_start(work: Work) -> None:
    jobs = [with_groups(work, 10) for _ in range(3)]

    assert admitted(work) == dict.fromkeys(jobs, 2)


def test_a_job_of_higher_priority_goes_first(work: Work) -> None:
    with_groups(work, 10)
    urgent = with_groups(work, 10, priority=5)

    assert admitted(work) == {urgent: 6}


def test_no_more_is_opened_than_the_limits_allow(work: Work) -> None:
    job = with_groups(work, 10)
    for _ in range(10):
        work.batch(job, {work.aligned(job, 2): 2})

    assert admitted(work) == {job: 6 + 4}
    assert admitted(work) == {}


def test_nothing_of_a_paused_job_is_begun_and_others_get_its_places(work: Work) -> None:
    held, other = with_groups(work, 10), with_groups(work, 10)
    stages = work.admit()
    work.conn.execute(text("UPDATE jobs SET paused_at = now() WHERE id = :j"), {"j": held})

    # Then its ready stages are not taken
    own = work.plant.rows("SELECT id FROM stages WHERE job_id = :j AND id = ANY(:s)", j=held, s=stages)
    assert [work.claim(row["id"]) for row in own] == [None] * 3
    # and the other job fills the limit alone.
    assert admitted(work) == {other: 3}


def test_a_unit_that_another_job_waits_for_goes_on_while_its_own_is_paused(work: Work) -> None:
    held, other = work.job(), work.job()
    (alignment,) = work.pending(held, 1)
    work.group(held, [alignment])
    file = work.plant.rows("SELECT source_file_id AS f FROM alignments")[0]["f"]
    work.plant.link(other, file, "aligning", alignment_id=alignment)
    work.conn.execute(text("UPDATE jobs SET paused_at = now() WHERE id = :j"), {"j": held})

    (stage,) = work.admit()

    assert work.claim(stage) is not None


def test_a_paused_job_says_so_and_goes_on_where_it_stopped(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[int] = []
    monkeypatch.setattr("workers.ledger.dispatch.send", lambda _app, _engine, ids: sent.extend(ids))
    engine = make_engine(database_url)
    with engine.begin() as conn:
        plant = Plant(conn)
        work = Work(plant, plant.archive(), plant.version(plant.profile(), 1), Settings(open_groups=1))
        job = with_groups(work, 2)
        (stage,) = work.admit()

    pause_job(engine, job)
    with engine.connect() as conn:
        assert conn.execute(text("SELECT state FROM job_progress")).scalar() == "paused"
    resume_job(engine, Settings(open_groups=1), job)

    assert sent == [stage]
    with engine.connect() as conn:
        assert conn.execute(text("SELECT state FROM job_progress")).scalar() == "running"


def test_a_job_that_has_ended_can_not_be_paused_resumed_or_cancelled(database_url: str) -> None:
    engine = make_engine(database_url)
    with engine.begin() as conn:
        plant = Plant(conn)
        archive, version = plant.archive(), plant.version(plant.profile(), 1)
        done, cancelled = (plant.job(archive, version, state=state) for state in ("done", "cancelled"))

    for job, state, says in ((done, "done", "tenor retry"), (cancelled, "cancelled", "Enqueue the archive again")):
        for change in (pause_job, partial(resume_job, settings=Settings()), cancel_job):
            with pytest.raises(JobEnded, match=f"job {job} is {state}") as refused:
                change(engine, job_id=job)
            assert says in refused.value.hint
    with engine.connect() as conn:
        assert conn.execute(text("SELECT state FROM jobs WHERE id = :j"), {"j": done}).scalar() == "done"
