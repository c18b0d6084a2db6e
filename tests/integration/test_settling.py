"""What becomes of work whose worker crashed, failed, was cut off or told to stop."""

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text

from db.engine import make_engine
from db.errors import InvalidScores, LeaseLost
from ml.errors import ModelError
from ops.jobs import retry_all
from ops.troubles import given_up
from tests.integration.planting import Plant
from tests.integration.working import TRIES, Work
from workers.errors import ArchiveEmpty, ArtifactBroken, DiskFull, TurnOver
from workers.jobs.changes import retry_job
from workers.ledger import claims
from workers.ledger.leases import break_lost
from workers.ledger.outcomes import LONGEST_PAUSE_S
from workers.settings import Settings


@pytest.fixture
def work(database_url: str) -> Iterator[Work]:
    with make_engine(database_url).connect() as conn:
        plant = Plant(conn)
        yield Work(plant, plant.archive(), plant.version(plant.profile(), 1), Settings())


def open_stages(work: Work, stage: str) -> list[int]:
    work.admit()
    rows = work.plant.rows("SELECT id FROM stages WHERE stage = :s AND state = 'ready' ORDER BY id", s=stage)
    return [row["id"] for row in rows]


def test_a_recording_that_kills_its_worker_is_found_by_halving_and_its_neighbours_go_on(work: Work) -> None:
    # Given a group of eight, of which one kills whoever works on it
    job = work.job()
    alignments = work.pending(job, 8)
    work.group(job, alignments)
    culprit, crashes = alignments[5], 0

    # When workers take whatever is ready
    while ready := open_stages(work, "align"):
        claim = work.claim(ready[0])
        assert claim is not None
        members = work.members(claim)
        if culprit in members:
            crashes += 1
            work.crash(claim)
        else:
            work.conn.execute(text("UPDATE alignments SET state = 'done' WHERE id = ANY(:m)"), {"m": list(members)})
            claims.finish(work.conn, claim, "done")

    # Then the whole was tried three times, each half that held it once, it alone three times
    assert crashes == TRIES + 1 + 1 + TRIES
    states = work.plant.rows("SELECT id, state, error_code FROM alignments ORDER BY id")
    assert [(row["id"], row["error_code"]) for row in states if row["state"] == "failed"] == [(culprit, "worker_lost")]
    assert all(row["state"] == "done" for row in states if row["id"] != culprit)
    failed = work.plant.rows("SELECT alignment_id FROM job_recordings WHERE state = 'failed'")
    assert [row["alignment_id"] for row in failed] == [culprit]
    assert len(work.plant.rows("SELECT 1 FROM stages WHERE state = 'dead'")) == 1


def test_halves_of_a_batch_hold_every_utterance_once(work: Work) -> None:
    # Given a batch of 5 + 4 utterances whose worker crashes in the middle of its ser stage, for the last time
    job = work.job()
    sizes = {work.aligned(job, 5): 5, work.aligned(job, 4): 4}
    work.batch(job, sizes)
    (extract,) = open_stages(work, "extract")
    claim = work.claim(extract)
    assert claim is not None
    claims.finish(work.conn, claim, "done")
    ser = work.plant.rows("SELECT id FROM stages WHERE stage = 'ser'")[0]["id"]
    work.conn.execute(text("UPDATE stages SET state = 'ready' WHERE id = :id"), {"id": ser})
    for _ in range(TRIES):
        claim = work.claim(ser)
        assert claim is not None
        work.crash(claim)

    # Then two batches that begin anew take its place
    rows = work.plant.rows("""
        SELECT m.batch_id, m.alignment_id, m.first_no, m.last_no FROM batch_members m ORDER BY 2, 3
    """)
    covered = [(row["alignment_id"], n) for row in rows for n in range(row["first_no"], row["last_no"] + 1)]
    assert covered == [(alignment, n) for alignment, size in sizes.items() for n in range(size)]
    batches = work.plant.rows("SELECT utterances, seconds, halvings, finished_at FROM batches ORDER BY id")
    assert [batch["utterances"] for batch in batches] == [9, 4, 5]
    assert [batch["halvings"] for batch in batches] == [0, 1, 1]
    assert batches[0]["finished_at"] is not None and batches[1]["seconds"] == pytest.approx(4 * 0.5)
    assert work.stage(ser)["state"] == "cancelled" and "Cut in two" in str(work.stage(ser)["error"])
    assert len(open_stages(work, "extract")) == 2


def test_a_full_disk_never_counts_and_is_tried_at_growing_intervals(work: Work) -> None:
    job = work.job()
    work.group(job, work.pending(job, 2))
    (stage,) = open_stages(work, "align")
    pauses = []
    for _ in range(12):
        claim = work.claim(stage)
        assert claim is not None
        assert claims.fail(work.conn, claim, DiskFull("full"), max_tries=TRIES) == "ready"
        pause = "SELECT extract(epoch FROM ready_at - now())::float8 AS s FROM stages WHERE id = :id"
        pauses.append(work.plant.rows(pause, id=stage)[0]["s"])

    assert work.stage(stage)["tries"] == 0 and work.stage(stage)["attempt"] == 12
    assert pauses == sorted(pauses) and pauses[0] < 10 and pauses[-1] == LONGEST_PAUSE_S
    assert work.stage(stage)["error_code"] == "disk_full"


def test_a_walk_that_lets_another_begin_goes_on_at_once_and_uncounted(work: Work) -> None:
    job = work.job()
    stage = work.plant.row("stages", stage="ingest", job_id=job, state="ready", root_id=uuid.uuid4())
    claim = work.claim(stage)
    assert claim is not None

    assert claims.fail(work.conn, claim, TurnOver("its turn is over"), max_tries=TRIES) == "ready"

    now = work.plant.rows("SELECT tries, ready_at = now() AS now FROM stages WHERE id = :id", id=stage)
    assert now == [{"tries": 0, "now": True}]


def test_a_stage_that_a_shutdown_interrupts_is_free_at_once_and_uncounted(work: Work) -> None:
    job = work.job()
    work.group(job, work.pending(job, 1))
    (stage,) = open_stages(work, "align")
    claim = work.claim(stage)
    assert claim is not None

    claim.lease.release(work.conn)

    row = work.stage(stage)
    assert (row["state"], row["tries"], row["owner"]) == ("ready", 0, None)


def test_an_error_that_knows_its_cause_halves_nothing(work: Work) -> None:
    job = work.job()
    sizes = {work.aligned(job, 4): 4}
    work.batch(job, sizes)
    (stage,) = open_stages(work, "extract")
    for expected in ("ready", "ready", "dead"):
        claim = work.claim(stage)
        assert claim is not None
        assert claims.fail(work.conn, claim, ModelError("no such checkpoint"), max_tries=TRIES) == expected

    states = work.plant.rows("SELECT state, error_code FROM job_recordings")
    assert states == [{"state": "failed", "error_code": "model_error"}]
    assert len(work.plant.rows("SELECT 1 FROM batches")) == 1


def test_a_store_that_loses_objects_delays_a_batch_and_never_ends_it(work: Work) -> None:
    job = work.job()
    work.batch(job, {work.aligned(job, 4): 4})
    (extract,) = open_stages(work, "extract")
    pauses = []
    for _ in range(TRIES + 1):
        claim = work.claim(extract)
        assert claim is not None
        assert claims.fail(work.conn, claim, ArtifactBroken("gone"), max_tries=TRIES) == "ready"
        pauses += work.plant.rows("SELECT ready_at > now() AS waits FROM stages WHERE id = :id", id=extract)

    assert [row["waits"] for row in pauses] == [False] * TRIES + [True], "at once at first, then with patience"
    row = work.stage(extract)
    assert (row["state"], row["tries"]) == ("ready", 0)
    assert work.plant.rows("SELECT finished_at FROM batches") == [{"finished_at": None}]


@pytest.mark.parametrize("error", [ValueError("quotes a transcript"), InvalidScores("no distribution"), MemoryError()])
def test_an_error_that_one_utterance_may_cause_halves_the_batch(work: Work, error: Exception) -> None:
    job = work.job()
    work.batch(job, {work.aligned(job, 4): 4})
    (stage,) = open_stages(work, "extract")
    verdicts = []
    for _ in range(TRIES):
        claim = work.claim(stage)
        assert claim is not None
        verdicts.append(claims.fail(work.conn, claim, error, max_tries=TRIES))

    assert verdicts == ["ready", "ready", "halved"]
    assert "quotes" not in str(work.stage(stage))


def test_an_empty_archive_is_not_looked_at_three_times(work: Work) -> None:
    job = work.job()
    stage = work.plant.row("stages", stage="ingest", job_id=job, state="ready", root_id=uuid.uuid4())
    claim = work.claim(stage)
    assert claim is not None

    assert claims.fail(work.conn, claim, ArchiveEmpty("nothing in it"), max_tries=TRIES) == "dead"
    assert work.plant.rows("SELECT state, error_code FROM jobs") == [{"state": "failed", "error_code": "archive_empty"}]


def test_a_second_message_for_a_running_stage_does_nothing(work: Work) -> None:
    job = work.job()
    work.group(job, work.pending(job, 1))
    (stage,) = open_stages(work, "align")

    first, second = work.claim(stage), claims.claim(work.conn, stage, uuid.uuid4(), lease_s=60, max_tries=TRIES)

    assert first is not None and second is None


def test_who_was_taken_for_dead_cannot_commit_even_after_a_retry_by_hand(work: Work) -> None:
    # Given a worker that slept until its stage went dead and somebody retried it
    job = work.job()
    (alignment,) = work.pending(job, 1)
    work.group(job, [alignment])
    (stage,) = open_stages(work, "align")
    sleeper = work.claim(stage)
    assert sleeper is not None
    work.crash(sleeper)
    for _ in range(TRIES - 1):
        claim = work.claim(stage)
        assert claim is not None
        work.crash(claim)
    assert work.stage(stage)["state"] == "dead"
    work.conn.execute(text("UPDATE stages SET state = 'ready', tries = 0 WHERE id = :id"), {"id": stage})
    current = work.claim(stage)
    assert current is not None and current.attempt > sleeper.attempt

    # When both finish, then only the one that holds the lease does
    with pytest.raises(LeaseLost):
        claims.finish(work.conn, sleeper, "late")
    claims.finish(work.conn, current, "in time")


def test_a_lease_that_was_renewed_behind_a_long_transaction_counts_from_when_that_ended(
    work: Work, database_url: str
) -> None:
    # Given work whose own transaction holds its row
    job = work.job()
    work.group(job, work.pending(job, 1))
    (stage,) = open_stages(work, "align")
    claim = work.claim(stage)
    assert claim is not None
    work.conn.commit()
    claim.lease.check(work.conn)
    with make_engine(database_url).connect() as other, ThreadPoolExecutor(1) as pool:
        renewal = pool.submit(claim.lease.renew, other, 60)
        waits = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
        while not work.conn.execute(waits).scalar_one():
            assert not renewal.done()
        # When that transaction ends
        ended = work.conn.execute(text("SELECT clock_timestamp()")).scalar_one()
        work.conn.commit()
        assert renewal.result()
        other.commit()

    # Then the lease is a whole one from there
    until = work.stage(stage)["lease_until"]
    assert isinstance(until, datetime) and until >= ended + timedelta(seconds=60)


def test_every_move_of_a_stage_is_an_event(work: Work) -> None:
    job = work.job()
    work.group(job, work.pending(job, 1))
    (stage,) = open_stages(work, "align")
    claim = work.claim(stage)
    assert claim is not None
    work.crash(claim)
    claim = work.claim(stage)
    assert claim is not None
    claims.finish(work.conn, claim, "done")

    events = work.plant.rows("SELECT kind, detail FROM events WHERE stage_id = :s ORDER BY id", s=stage)

    kinds = [row["kind"].removeprefix("stage.") for row in events]
    assert kinds == ["ready", "running", "ready", "running", "done"]
    assert events[2]["detail"] | {"owner": ""} == {
        "stage": "align", "from": "running", "attempt": 1, "tries": 1, "owner": "", "error": "worker_lost",
    }  # fmt: skip


def test_sweepers_that_run_at_once_break_each_lease_once(database_url: str) -> None:
    engine = make_engine(database_url)
    with engine.begin() as conn:
        plant = Plant(conn)
        work = Work(plant, plant.archive(), plant.version(plant.profile(), 1), Settings(open_groups=100))
        job = work.job()
        for alignment in work.pending(job, 40):
            work.group(job, [alignment])
        work.admit()
        conn.execute(
            text("UPDATE stages SET state = 'running', attempt = 1, tries = 1, owner = 'x', lease_until = now()")
        )

    def sweep(_: int) -> int:
        with engine.begin() as conn:
            return break_lost(conn, max_tries=TRIES)

    with ThreadPoolExecutor(6) as sweepers:
        assert sum(sweepers.map(sweep, range(6))) == 40
    with engine.begin() as conn:
        assert set(conn.execute(text("SELECT state, tries FROM stages")).tuples()) == {("ready", 1)}
        lost = conn.execute(text("SELECT count(*) FROM events WHERE detail ->> 'error' = 'worker_lost'")).scalar()
    assert lost == 40


def test_retry_takes_up_recordings_that_another_time_may_save(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.ledger.dispatch.send", lambda *_: 0)
    engine = make_engine(database_url)
    with engine.begin() as conn:
        plant = Plant(conn)
        work = Work(plant, plant.archive(), plant.version(plant.profile(), 1), Settings())
        job = work.job(state="done")
        slow, corrupt = work.pending(job, 2)
        lost = work.aligned(job, 3)
        for table, column, alignment, code in (
            ("alignments", "id", slow, "recording_too_slow"),
            ("alignments", "id", corrupt, "audio_unreadable"),
            ("job_recordings", "alignment_id", slow, "recording_too_slow"),
            ("job_recordings", "alignment_id", corrupt, "audio_unreadable"),
            ("job_recordings", "alignment_id", lost, "audio_missing"),
        ):
            conn.execute(
                text(f"UPDATE {table} SET state = 'failed', error_code = :c, error = '-' WHERE {column} = :a"),
                {"c": code, "a": alignment},
            )
        conn.execute(text("UPDATE recording_scores SET state = 'failed'"))

    assert retry_job(engine, Settings(), job) == 2

    with engine.connect() as conn:
        states = dict(conn.execute(text("SELECT alignment_id, state FROM job_recordings")).tuples().all())
        assert states == {slow: "aligning", corrupt: "failed", lost: "scoring"}
        ready = conn.execute(text("SELECT stage FROM stages WHERE state = 'ready' ORDER BY stage")).scalars().all()
        assert ready == ["align", "extract"]
        assert conn.execute(text("SELECT state FROM jobs")).scalar() == "running"


def test_what_was_given_up_over_all_jobs_is_told_by_kind_and_retried_by_kind(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given dead work of two jobs, of one kind each, and a recording that nothing can save
    monkeypatch.setattr("workers.ledger.dispatch.send", lambda *_: 0)
    engine = make_engine(database_url)
    with engine.begin() as conn:
        plant = Plant(conn)
        work = Work(plant, plant.archive(), plant.version(plant.profile(), 1), Settings())
        first, second = work.job(state="done"), work.job(state="done")
        for job, code in ((first, "worker_lost"), (second, "stage_too_long")):
            (alignment,) = work.pending(job, 1)
            work.group(job, [alignment])
            for table in ("alignments", "job_recordings"):
                column = "id" if table == "alignments" else "alignment_id"
                conn.execute(
                    text(f"UPDATE {table} SET state = 'failed', error_code = :c, error = '-' WHERE {column} = :a"),
                    {"c": code, "a": alignment},
                )
            work.admit()
            for change in (
                "state = 'running', attempt = 1, tries = 1, owner = 'x', lease_until = now()",
                "state = 'dead', owner = NULL, lease_until = NULL, finished_at = now(), error = 'It fell.'",
            ):
                conn.execute(
                    text(f"UPDATE stages SET {change}, error_code = :c WHERE job_id = :j"), {"c": code, "j": job}
                )

    with engine.connect() as conn:
        found = {(kind.stage, kind.code): kind for kind in given_up(conn)}
    assert list(found)[:2] == [("align", "stage_too_long"), ("align", "worker_lost")]
    assert found["align", "worker_lost"].jobs == [first] and found["align", "worker_lost"].error == "It fell."
    assert not found["", "worker_lost"].retried

    # When one kind is retried, then the other stays where it is
    assert retry_all(engine, Settings(), "worker_lost") == {first: 1}
    with engine.connect() as conn:
        states = dict(conn.execute(text("SELECT job_id, state FROM stages")).tuples().all())
    assert states[second] == "dead" and states[first] in ("waiting", "ready")
    assert retry_all(engine, Settings()) == {second: 1}
    with engine.connect() as conn:
        assert not [kind for kind in given_up(conn) if kind.stage]
