"""What a run hears without labels: recent speech of the archive, evenly over people, of nobody who is tested on."""

import hashlib
import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from db.engine import make_engine
from db.labels import LabelRow, write_labels
from db.targets import targets
from ml.corpora.types import TEXT_MODEL, LabelledUtterance
from ml.profiles.profile import SPEC_VERSION
from tests.integration.planting import Plant, distribution
from tests.unit.two_domains import FOUR, champion, corpus, quick_voices
from workers import context
from workers.retraining import data, due, models, prepare, runs, train
from workers.retraining.labelled import items_of
from workers.retraining.runner import Watch
from workers.retraining.runs import Run
from workers.retraining.unlabelled import Pair, sample
from workers.settings import Settings

TEXT = "hash of a text model"
#: People, of whom the first ones have labels.
PEOPLE, LABELLED = 20, 15


class World:
    """An archive of short recordings that a version has scored by voice and by words."""

    def __init__(self, url: str, folder: Path, items: list[LabelledUtterance], speech: dict[str, Any]) -> None:
        self.engine, self.items = make_engine(url), items
        self.spec = {"labels": list(FOUR), "speech": speech, "text": {"sha256": TEXT}, "spec_version": SPEC_VERSION}
        with self.engine.begin() as conn:
            plant = Plant(conn)
            self.profile = plant.profile()
            self.version = plant.version(self.profile, 1, champion=True)
            conn.execute(
                text("UPDATE profile_versions SET spec = CAST(:spec AS jsonb)"), {"spec": json.dumps(self.spec)}
            )
            archive = plant.archive(str(folder / "calls"))
            job = plant.job(archive, self.version)
            self.recordings = [self._analysed(plant, archive, job, item) for item in self.items]

    def _analysed(self, plant: Plant, archive: int, job: int, item: LabelledUtterance) -> int:
        assert item.audio_path is not None and item.label is not None
        status = item.audio_path.stat()
        sha256 = hashlib.sha256(item.audio_path.read_bytes()).hexdigest()
        recording = plant.row("recordings", sha256=sha256, size_bytes=status.st_size, duration_s=0.5, channels=1)
        file = plant.row(
            "archive_files", archive_id=archive, path=item.audio_path.name, recording_id=recording,
            size_bytes=status.st_size, mtime_ns=status.st_mtime_ns,
        )  # fmt: skip
        alignment = plant.alignment(recording, file, [(item.speaker, 0.0, 0.5, None)])
        plant.score(alignment, self.version, plant.batch(job, self.version), [distribution(neutral=1.0)])
        # Nothing was kept of what was said but what the text model made of it.
        plant.conn.execute(
            text(
                f"UPDATE scores SET {', '.join(f'text_{label} = :{label}' for label in FOUR)} WHERE alignment_id = :a"
            ),
            {"a": alignment} | {label: float(label == item.label) for label in FOUR},
        )
        return recording

    def label(self, people: range) -> None:
        rows = [
            LabelRow(recording, 0.0, 0.5, "Kim", "archive", f"{recording}", item.label, *[None] * 10)
            for item, recording in zip(self.items, self.recordings, strict=True)
            if int(item.speaker.rpartition("-")[2]) in people
        ]
        with self.engine.begin() as conn:
            write_labels(conn, rows)

    def sampled(self, most: int, *, seed: int = 1, labelled: list[Pair] | None = None) -> list[LabelledUtterance]:
        version = models.Version(self.version, 1, self.spec)
        with self.engine.begin() as conn:
            return sample(conn, self.profile, version, labelled or [], most=most, seed=seed)


@pytest.fixture(scope="module")
def voices(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[LabelledUtterance], dict[str, Any]]:
    folder = tmp_path_factory.mktemp("voices")
    return folder, corpus(folder, "calls", speakers=PEOPLE, takes=2), champion(folder)


@pytest.fixture
def world(
    database_url: str,
    tmp_path: Path,
    voices: tuple[Path, list[LabelledUtterance], dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> World:
    made = World(database_url, *voices)
    settings = Settings(home=tmp_path / "home", threads=1)
    fakes: dict[str, Callable[[], Any]] = {"settings": lambda: settings, "engine": lambda: made.engine}
    for name, fake in fakes.items():
        monkeypatch.setattr(context, name, fake)
    return made


def test_a_sample_is_even_over_people_the_same_again_and_another_with_another_seed(world: World) -> None:
    people = world.sampled(1000)
    everybody = {item.speaker for item in people}
    few = world.sampled(len(everybody))

    assert len({item.speaker for item in few}) == len(everybody)
    assert world.sampled(len(everybody)) == few
    assert world.sampled(len(everybody), seed=2) != few
    assert all(item.label is None and item.audio_path is not None and item.audio_path.is_file() for item in few)


def test_words_that_were_not_kept_are_there_as_what_the_text_model_said(world: World) -> None:
    found = world.sampled(5)
    assert {item.annotator for item in found} == {TEXT_MODEL}
    assert all(item.distribution is not None and max(item.distribution) == 1 for item in found)

    world.spec["text"] = {"sha256": "another model"}
    assert {item.distribution for item in world.sampled(5)} == {None}


def test_nobody_is_heard_who_is_tested_on_now_or_later(world: World) -> None:
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


def test_what_labels_call_by_another_name_is_left_out_with_its_recording_and_voice(world: World) -> None:
    world.label(range(1))
    with world.engine.begin() as conn:
        conn.execute(text("UPDATE labels SET speaker = 'Anna B.'"))
        conn.execute(text("DELETE FROM labels WHERE recording_id <> (SELECT min(recording_id) FROM labels)"))
        conn.execute(text("INSERT INTO speaker_parts VALUES (:p, 'Anna B.', 'holdout')"), {"p": world.profile})
        pairs = items_of(conn, list(targets(conn)))

    assert "archive-calls-0" not in {item.speaker for item in world.sampled(1000, labelled=pairs)}


def taken(engine: Engine, run_id: int, stage: str) -> Run:
    with engine.begin() as conn:
        runs.admit(conn)
        found = runs.claim(conn, run_id, stage, uuid.uuid4(), lease_s=60, tries=3)
    assert found is not None
    return found


def through(engine: Engine, run_id: int, stage: str, work: Any) -> dict[str, Any]:
    own = taken(engine, run_id, stage)
    commit = work(own, Watch(engine, own))
    with engine.begin() as conn:
        commit(conn)
    with engine.connect() as conn:
        return dict(conn.execute(text("SELECT * FROM training_runs WHERE id = :r"), {"r": run_id}).mappings().one())


def test_a_run_freezes_what_it_hears_and_its_method_learns_from_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "embed", lambda: quick_voices)
    with world.engine.begin() as conn:
        # The run loads its champion, and there is no such text model.
        conn.execute(text("UPDATE profile_versions SET spec = spec - 'text'"))
    world.label(range(LABELLED))
    plan = {"method": "finetune+pseudo-labels", "unlabelled": 30, "trust_labels": True}
    training = {"head_steps": 4, "methods": [{"name": "finetune"}], "judge_every": 2, "batch": 8}
    with world.engine.begin() as conn:
        run_id = due.insert(conn, world.profile, {**plan, "training": training}, "hand")
        plain = due.insert(conn, world.profile, {"method": "finetune", "trust_labels": True}, "hand")
    assert run_id is not None and plain is not None

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
