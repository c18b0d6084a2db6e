"""What a run hears without labels: recent speech of the archive, evenly over people, of nobody who is tested on."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from db.targets import targets
from ml.corpora.types import TEXT_MODEL, LabelledUtterance
from ml.profiles.profile import SPEC_VERSION
from tests.integration.retrained_archive import World, enter, through
from tests.unit.two_domains import FOUR, champion, corpus
from workers.retraining import data, models, prepare, runs, train
from workers.retraining.labelled import items_of
from workers.retraining.unlabelled import Pair, sample

TEXT = "hash of a text model"
#: People, of whom the first ones have labels.
PEOPLE, LABELLED = 20, 15


class Heard(World):
    """One whose words were not kept."""

    def sampled(self, most: int, *, seed: int = 1, labelled: list[Pair] | None = None) -> list[LabelledUtterance]:
        version = models.Version(self.version, 1, self.spec)
        with self.engine.begin() as conn:
            return sample(conn, self.profile, version, labelled or [], most=most, seed=seed)


@pytest.fixture(scope="module")
def voices(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[LabelledUtterance], dict[str, Any]]:
    folder = tmp_path_factory.mktemp("voices")
    return corpus(folder, "calls", speakers=PEOPLE, takes=2), champion(folder)


@pytest.fixture
def world(
    database_url: str,
    tmp_path: Path,
    voices: tuple[list[LabelledUtterance], dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> Heard:
    items, speech = voices
    spec = {"labels": list(FOUR), "speech": speech, "text": {"sha256": TEXT}, "spec_version": SPEC_VERSION}
    made = Heard(database_url, items, spec)
    enter(made, tmp_path / "home", monkeypatch)
    return made


def test_a_sample_is_even_over_people_the_same_again_and_another_with_another_seed(world: Heard) -> None:
    people = world.sampled(1000)
    everybody = {item.speaker for item in people}
    few = world.sampled(len(everybody))

    assert len({item.speaker for item in few}) == len(everybody)
    assert world.sampled(len(everybody)) == few
    assert world.sampled(len(everybody), seed=2) != few
    assert all(item.label is None and item.audio_path is not None and item.audio_path.is_file() for item in few)


def test_words_that_were_not_kept_are_there_as_what_the_text_model_said(world: Heard) -> None:
    found = world.sampled(5)
    assert {item.annotator for item in found} == {TEXT_MODEL}
    assert all(item.distribution is not None and max(item.distribution) == 1 for item in found)

    world.spec["text"] = {"sha256": "another model"}
    assert {item.distribution for item in world.sampled(5)} == {None}


def test_nobody_is_heard_who_is_tested_on_now_or_later(world: Heard) -> None:
    heard = {item.speaker for item in world.sampled(1000)}
    with world.engine.begin() as conn:
        parts = data.parts(conn, world.profile)
    assert {name for name, part in parts.items() if part == "train"} == heard
    assert len(parts) == PEOPLE and sum(part == "holdout" for part in parts.values()) == round(PEOPLE / 3)

    # When labels come, those who were heard are learned from, and the others tested on
    world.label(range(PEOPLE))
    assert world.sampled(1000) == []
    with world.engine.begin() as conn:
        assert data.divide(conn, world.profile, parts, 1 / 3) == parts


def test_what_labels_call_by_another_name_is_left_out_with_its_recording_and_voice(world: Heard) -> None:
    world.label(range(1))
    with world.engine.begin() as conn:
        conn.execute(text("UPDATE labels SET speaker = 'Anna B.'"))
        conn.execute(text("DELETE FROM labels WHERE recording_id <> (SELECT min(recording_id) FROM labels)"))
        conn.execute(text("INSERT INTO speaker_parts VALUES (:p, 'Anna B.', 'holdout')"), {"p": world.profile})
        pairs = items_of(conn, list(targets(conn)))

    assert "archive-calls-0" not in {item.speaker for item in world.sampled(1000, labelled=pairs)}


def test_a_run_freezes_what_it_hears_and_its_method_learns_from_it(world: Heard) -> None:
    with world.engine.begin() as conn:
        # The run loads its champion, and there is no such text model.
        conn.execute(text("UPDATE profile_versions SET spec = spec - 'text'"))
    world.label(range(LABELLED))
    training = {"head_steps": 4, "methods": [{"name": "finetune"}], "judge_every": 2, "batch": 8}
    run_id = world.insert(method="finetune+pseudo-labels", unlabelled=30, training=training)
    plain = world.insert(method="finetune")

    frozen = through(world.engine, run_id, "prepare", prepare._work)
    heard = frozen["numbers"]["unlabelled"]
    manifest = data.frozen(Path(frozen["folder"]) / data.UNLABELLED)
    held = data.frozen(Path(frozen["folder"]) / data.HELD)
    assert heard["fingerprint"] == manifest.fingerprint
    assert heard["utterances"] == len(manifest.items) > 10
    assert heard["speakers"] <= PEOPLE - LABELLED
    assert not {item.speaker for item in manifest.items} & {item.speaker for item in held.items}

    # Pseudo-labels alone would do as well; with the champion's random weights any of its answers is sure enough.
    sure = {"methods": [{"name": "finetune"}, {"name": "pseudo-labels", "settings": {"threshold": 0.0}}]}
    with world.engine.begin() as conn:
        conn.execute(
            text("UPDATE training_runs SET plan = CAST(:plan AS jsonb) WHERE id = :r"),
            {"r": run_id, "plan": json.dumps({"training": training | sure})},
        )
    trained = through(world.engine, run_id, "train", train._work)
    assert trained["numbers"]["training"]["pseudo-labels"]["of"] == heard["utterances"]

    # A method that would not listen costs nothing
    with world.engine.begin() as conn:
        runs.cancel(conn, run_id)
    assert through(world.engine, plain, "prepare", prepare._work)["numbers"]["unlabelled"] is None
