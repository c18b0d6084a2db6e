"""What `tenor models` and `tenor retrain` show: versions, reigns, two versions side by side, schedules and runs."""

import uuid
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from db.engine import make_engine
from db.errors import NotFound
from ops import models, retraining
from tests.integration.planting import Plant, distribution
from workers.errors import RunEnded
from workers.jobs import versions
from workers.settings import Settings

ANGRY, SAD = distribution(angry=0.8, sad=0.2), distribution(angry=0.3, sad=0.7)


@pytest.fixture
def engine(database_url: str) -> Engine:
    return make_engine(database_url)


def labelled_call(plant: Plant, first: int, second: int, speaker: str) -> None:
    """A call in which version 1 always hears anger and version 2 is right."""
    archive, recording = plant.archive(f"/{uuid.uuid4()}"), plant.recording()
    file = plant.file(archive, "a.wav", recording)
    alignment = plant.alignment(recording, file, [(speaker, float(n), n + 0.9, None) for n in range(4)])
    for version, said in ((first, [ANGRY] * 4), (second, [ANGRY, SAD, ANGRY, SAD])):
        plant.score(alignment, version, plant.batch(plant.job(archive, version), version), said)
    for number, label in enumerate(("angry", "sad", "angry", "sad")):
        plant.conn.execute(
            text("""
                INSERT INTO labels (recording_id, start_s, end_s, annotator, corpus, item_id, label, speaker)
                VALUES (:r, :s, :e, 'ann', 'own', :i, :label, :speaker)
            """),
            {"r": recording, "s": number, "e": number + 1, "i": f"{number}", "label": label, "speaker": speaker},
        )


def test_two_versions_are_compared_on_the_labelled_utterances_that_both_have_scored(
    plant: Plant, engine: Engine
) -> None:
    profile = plant.profile()
    first, second = plant.version(profile, 1, champion=True), plant.version(profile, 2)
    plant.conn.commit()
    with engine.connect() as conn, pytest.raises(models.NothingToCompare):
        models.compare(conn, "mini", 1, 2)
    for speaker in ("ann", "bob", "cid", "dot"):
        labelled_call(plant, first, second, speaker)
    plant.conn.commit()

    with engine.connect() as conn:
        found = models.compare(conn, "mini", 1, 2)

    assert found["balanced_accuracy"] == [0.5, 1.0]
    assert (found["items"], found["speakers"], found["drawn"]) == (16, 4, "speakers")
    assert found["low"] == found["high"] == 0.5


def test_a_version_says_how_it_became_champion_and_ceased_to_be(plant: Plant, engine: Engine) -> None:
    profile = plant.profile()
    first, second = plant.version(profile, 1, champion=True), plant.version(profile, 2)
    spec = '{"speech": {"name": "tiny"}}'
    plant.conn.execute(text("UPDATE profile_versions SET spec = CAST(:s AS jsonb)"), {"s": spec})
    versions.crown(plant.conn, profile, second, why="better on new people", run_id=None)
    plant.conn.commit()

    assert models.roll_back(engine, "mini") == (2, 1)

    with engine.connect() as conn:
        assert [(row.version, row.champion) for row in models.versions(conn)] == [(1, True), (2, False)]
        reigns = models.show(conn, "mini", 2).reigns
        with pytest.raises(NotFound, match="no version 7"):
            models.show(conn, "mini", 7)
    assert [(one["before"], one["after"], one["why"]) for one in reigns] == [
        (1, 2, "better on new people"),
        (2, 1, "rolled back by hand"),
    ]
    assert first != second


def test_a_schedule_is_set_anew_and_ended(engine: Engine, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    retraining.set_schedule(engine, settings, "mini", {"method": "finetune"}, interval_s=60)
    retraining.set_schedule(engine, settings, "mini", {"method": "finetune"}, min_labels=100)
    (one,) = retraining.schedules(engine)
    assert (one.profile, one.enabled, one.interval_s, one.min_labels) == ("mini", True, None, 100)
    retraining.stop_schedule(engine, settings, "mini")
    assert not retraining.schedules(engine)[0].enabled


def test_a_run_is_listed_with_its_progress_and_can_be_cancelled_once(plant: Plant, engine: Engine) -> None:
    profile = plant.profile()
    run = plant.row(
        "training_runs", due_at="2026-01-01", trigger="hand", profile_id=profile, plan='{"method": "coral"}',
        root_id=uuid.uuid4(), state="ready", progress='{"doing": "training: head", "done": 30, "of": 120, "eta_s": 9}',
    )  # fmt: skip
    plant.conn.commit()
    with engine.connect() as conn:
        (found,) = retraining.runs(conn)
    assert (found.run, found.method, found.doing, found.percent, found.eta_s) == (run, "coral", "training: head", 25, 9)
    retraining.cancel(engine, run)
    with pytest.raises(RunEnded, match="cancelled"):
        retraining.cancel(engine, run)
    with pytest.raises(NotFound):
        retraining.cancel(engine, run + 1)
