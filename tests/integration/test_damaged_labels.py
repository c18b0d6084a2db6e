"""A recording that cannot be decoded: its labels are left out by name, and of a kept corpus it ends the run by name."""

import uuid
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from ml.corpora.types import LabelledUtterance
from ml.profiles.profile import SPEC_VERSION
from tests.integration.retrained_archive import World, enter, task, through
from tests.unit.two_domains import FOUR, champion, corpus
from workers.retraining import data, prepare, runner, train

PEOPLE = 15
TRAINING = {"head_steps": 4, "methods": [{"name": "finetune"}], "judge_every": 2, "batch": 8}
SAID = "the file is not audio that can be decoded"


def truncated(item: LabelledUtterance, size: int = 30) -> Path:
    """What is left of the item's file after a copy that broke off within the header."""
    assert item.audio_path is not None
    item.audio_path.write_bytes(item.audio_path.read_bytes()[:size])
    return item.audio_path


@pytest.fixture
def items(tmp_path: Path) -> list[LabelledUtterance]:
    return corpus(tmp_path, "calls", speakers=PEOPLE, takes=2)


@pytest.fixture
def spec(tmp_path: Path) -> dict[str, Any]:
    return {"labels": list(FOUR), "speech": champion(tmp_path), "spec_version": SPEC_VERSION}


def test_labels_of_damaged_recordings_are_left_out_by_name(
    database_url: str,
    tmp_path: Path,
    items: list[LabelledUtterance],
    spec: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, _ = truncated(items[0]), truncated(items[9], 31)
    world = World(database_url, items, spec)
    enter(world, tmp_path / "home", monkeypatch)
    world.label(range(PEOPLE))

    numbers = through(world.engine, world.insert(training=TRAINING), "prepare", prepare._work)["numbers"]

    assert (numbers["left_out"][SAID], numbers["labels"]) == (2, len(items) - 2)
    assert numbers["left_out_first"] == {SAID: str(first)}


def test_a_run_that_meets_a_damaged_recording_of_a_kept_corpus_is_refused_and_names_it(
    database_url: str,
    tmp_path: Path,
    items: list[LabelledUtterance],
    spec: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(database_url, items, spec)
    enter(world, tmp_path / "home", monkeypatch)
    world.label(range(PEOPLE))
    kept = corpus(tmp_path, "kept", speakers=6, takes=2)
    damaged = [truncated(item) for item in kept]
    with world.engine.begin() as conn:
        data.register(conn, world.profile, "kept", "reference", data.freeze(kept, tmp_path / "kept.parquet"))
    run = world.insert(training=TRAINING)
    through(world.engine, run, "prepare", prepare._work)
    monkeypatch.setattr(runner, "go_on", lambda *_: 0)

    said = runner.run(task(uuid.uuid4()), run, "train", train._work)

    with world.engine.connect() as conn:
        row = conn.execute(text("SELECT * FROM training_runs WHERE id = :r"), {"r": run}).one()
    assert (row.state, row.decision, row.numbers["code"]) == ("refused", "refused", "recording_unusable"), said
    assert any(f"{path}: {SAID}" in row.reason for path in damaged)
    assert "Replace the file" in row.reason
