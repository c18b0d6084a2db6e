"""Retraining as rows: when runs are due, who holds them, who becomes champion, what is kept for good."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Engine, text

from db.engine import make_engine
from db.errors import LeaseLost
from ml.corpora.types import LabelledUtterance
from tests.integration.planting import Plant
from workers.errors import RunRefused
from workers.retraining import data, due, runs

TRIES = 3


@pytest.fixture
def profile(plant: Plant) -> int:
    profile = plant.profile()
    plant.version(profile, 1, champion=True)
    return profile


def label(plant: Plant, count: int, *, at: str = "now()") -> None:
    """So many labels of a recording, imported at a time."""
    recording = plant.recording()
    plant.conn.execute(
        text(f"""
            INSERT INTO labels (recording_id, start_s, end_s, annotator, corpus, item_id, label, imported_at)
            SELECT :r, n, n + 1, 'ann', 'own', 'item ' || n, 'sad', {at} + n * interval '1 ms'
              FROM generate_series(1, :n) n
        """),
        {"r": recording, "n": count},
    )


def schedule(plant: Plant, profile: int, **reasons: Any) -> int:
    return plant.row("training_schedules", profile_id=profile, plan="{}", **reasons)


def of_runs(plant: Plant) -> list[dict[str, Any]]:
    return plant.rows("SELECT * FROM training_runs ORDER BY id")


def claimed(plant: Plant, stage: str = "prepare", run_id: int | None = None) -> runs.Run:
    """The run, taken by this very process."""
    runs.admit(plant.conn)
    run_id = run_id or of_runs(plant)[-1]["id"]
    found = runs.claim(plant.conn, run_id, stage, uuid.uuid4(), lease_s=60, tries=TRIES)
    assert found is not None
    return found


# ----- when a run is due


def test_a_schedule_is_due_when_enough_labels_are_new_and_then_not_again(plant: Plant, profile: int) -> None:
    schedule(plant, profile, min_labels=5)
    label(plant, 4)
    assert due.insert_due(plant.conn) == []
    label(plant, 1)
    (run_id,) = due.insert_due(plant.conn)
    assert due.insert_due(plant.conn) == []

    runs.cancel(plant.conn, run_id)
    plant.conn.execute(text("UPDATE training_runs SET state = 'refused', labels_until = now() + interval '1 h'"))

    assert due.insert_due(plant.conn) == []
    assert of_runs(plant)[0]["trigger"] == "labels"


def test_an_interval_without_new_labels_is_no_reason(plant: Plant, profile: int) -> None:
    schedule(plant, profile, interval_s=60, created_at="2026-01-01T00:00:30+00:00")
    assert due.insert_due(plant.conn) == []
    label(plant, 1)
    assert len(due.insert_due(plant.conn)) == 1
    (run,) = of_runs(plant)
    assert run["due_at"].second == 30


def test_drift_beyond_the_limit_is_a_reason(plant: Plant, profile: int) -> None:
    schedule(plant, profile, drift_limit=0.25)
    label(plant, 1)
    version = plant.rows("SELECT champion_id AS v FROM profiles")[0]["v"]
    plant.row("quality_measures", profile_version_id=version, utterances=200, psi=0.2, psi_of="{}")
    assert due.insert_due(plant.conn) == []
    plant.row("quality_measures", profile_version_id=version, utterances=200, psi=0.4, psi_of="{}")
    assert len(due.insert_due(plant.conn)) == 1
    assert of_runs(plant)[0]["trigger"] == "drift"


def test_two_beats_at_the_same_moment_fire_one_run(plant: Plant, profile: int, database_url: str) -> None:
    schedule(plant, profile, min_labels=3, interval_s=1, created_at="2026-01-01T00:00:00+00:00")
    label(plant, 3)
    plant.conn.commit()
    engine: Engine = make_engine(database_url)

    def tick() -> list[int]:
        with engine.begin() as conn:
            return due.insert_due(conn)

    with ThreadPoolExecutor(8) as beats:
        made = [one for beat in [beats.submit(tick) for _ in range(16)] for one in beat.result()]

    assert len(made) == 1
    assert len(of_runs(plant)) == 1


def test_the_same_due_time_is_inserted_once_even_by_whoever_did_not_look(plant: Plant, profile: int) -> None:
    own = schedule(plant, profile, min_labels=3)
    at = plant.rows("SELECT now() AS at")[0]["at"]
    assert due.insert(plant.conn, profile, {}, "labels", due_at=at, schedule_id=own) is not None
    assert due.insert(plant.conn, profile, {}, "labels", due_at=at, schedule_id=own) is None


# ----- who holds it


def test_one_run_goes_at_a_time(plant: Plant, profile: int) -> None:
    first, second = (due.insert(plant.conn, profile, {}, "hand") for _ in range(2))
    assert runs.admit(plant.conn) == [first]
    assert runs.admit(plant.conn) == []
    assert first is not None
    runs.cancel(plant.conn, first)
    assert runs.admit(plant.conn) == [second]


def test_a_message_that_comes_again_finds_the_lease_taken(plant: Plant, profile: int) -> None:
    due.insert(plant.conn, profile, {}, "hand")
    run = claimed(plant)
    assert runs.claim(plant.conn, run.id, "prepare", uuid.uuid4(), lease_s=60, tries=TRIES) is None
    runs.advance(plant.conn, run, {})
    assert runs.claim(plant.conn, run.id, "prepare", uuid.uuid4(), lease_s=60, tries=TRIES) is None


def test_whoever_lost_the_lease_cannot_end_the_stage(plant: Plant, profile: int) -> None:
    due.insert(plant.conn, profile, {}, "hand")
    slow = claimed(plant)
    plant.conn.execute(text("UPDATE training_runs SET lease_until = now() - interval '1 s'"))
    assert runs.break_lost(plant.conn, max_tries=TRIES) == 1
    quick = claimed(plant)
    with pytest.raises(LeaseLost):
        runs.advance(plant.conn, slow, {})
    runs.advance(plant.conn, quick, {"found": 1})
    (run,) = of_runs(plant)
    assert (run["stage"], run["state"], run["numbers"], run["tries"]) == ("train", "ready", {"found": 1}, 0)


def test_a_run_that_kills_its_worker_again_and_again_fails_with_the_reason(plant: Plant, profile: int) -> None:
    due.insert(plant.conn, profile, {}, "hand")
    for _ in range(TRIES):
        claimed(plant)
        plant.conn.execute(text("UPDATE training_runs SET owner = 'elsewhere', lease_until = now() - interval '1 s'"))
        runs.break_lost(plant.conn, max_tries=TRIES)
    (run,) = of_runs(plant)
    assert (run["state"], run["error_code"], run["decision"]) == ("failed", "worker_lost", "refused")


def test_a_cancelled_run_tells_whoever_works_on_it(plant: Plant, profile: int) -> None:
    due.insert(plant.conn, profile, {}, "hand")
    run = claimed(plant)
    assert runs.note(plant.conn, run, {"doing": "training", "done": 1, "of": 2})
    assert plant.rows("SELECT doing, percent FROM retraining") == [{"doing": "training", "percent": 50}]
    assert runs.cancel(plant.conn, run.id)
    assert not runs.note(plant.conn, run, {"doing": "training", "done": 2, "of": 2})
    with pytest.raises(LeaseLost):
        runs.conclude(plant.conn, run, "done", "promoted", "", {})
    assert not runs.cancel(plant.conn, run.id)


# ----- whom it is measured on


def test_a_speaker_stays_where_he_was_put(plant: Plant, profile: int) -> None:
    first = data.divide(plant.conn, profile, [f"s{n}" for n in range(12)], 1 / 3)
    assert sum(part == "holdout" for part in first.values()) == 4
    more = data.divide(plant.conn, profile, [f"s{n}" for n in range(30)], 1 / 3)
    assert {name: more[name] for name in first} == first
    assert sum(part == "holdout" for part in more.values()) == 10


def test_too_little_to_decide_on_is_refused_with_a_sentence() -> None:
    items = [LabelledUtterance("c", str(n), f"s{n % 2}", "sad", "en") for n in range(100)]
    with pytest.raises(RunRefused, match="100 labelled utterances of 2 people to learn from") as caught:
        data.require(items, items)
    assert caught.value.code == "too_few_labels"
