"""Retraining by real workers: labels in, a run that survives kill -9, a promotion that nobody has to be told of."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ml.corpora.types import LabelledUtterance
from tests.acceptance.house import SAMPLES, House
from tests.unit.two_domains import champion as random_champion
from tests.unit.two_domains import corpus

pytestmark = pytest.mark.timeout(1800)
#: A random model learns these voices in a few hundred steps of milliseconds.
STEPS = 240
TRAINING = ("--set", f"head_steps={STEPS}", "--set", "save_every=20", "--set", "head_rate=0.01", "--set", "batch=16")
#: People whose labels come first; the next one's make the schedule due, the others' are flipped.
FIRST = 10
#: For a busy machine; a quiet one takes seconds.
PATIENCE_S = 600.0
QUICK = {"TENOR_RETRAIN_TICK_S": "1", "TENOR_THREADS": "1", "TENOR_RETRAIN_NICE": "0"}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A home of its own, whose profile names a model of random weights."""
    folder = tmp_path_factory.mktemp("retraining")
    made = House(folder / "home", {**QUICK, "TENOR_PROFILE": str(folder / "tiny.toml")})
    random_champion(folder)
    (folder / "tiny.toml").write_text(
        'labels = ["angry", "happy", "neutral", "sad"]\n[speech]\nbundle = "champion"\n', encoding="utf-8"
    )
    made.run("up")
    yield made
    made.down()


def table(items: list[LabelledUtterance], path: Path, *, flip: bool = False) -> Path:
    """The labels of items as `tenor corpus import csv` reads them; with `flip`, three in ten say the class beside."""
    lines = ["path,label,speaker,gender,language"]
    order = ("angry", "happy", "neutral", "sad")
    for number, item in enumerate(items):
        label = item.label or ""
        if flip and number % 10 < 3:
            label = order[(order.index(label) + 1 + number % 3) % 4]
        lines.append(f"{item.audio_path},{label},{item.speaker},{item.gender},en")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def labelled(house: House, tmp_path_factory: pytest.TempPathFactory) -> list[LabelledUtterance]:
    """An archive of generated voices, enqueued; labels of the first people, imported."""
    folder = tmp_path_factory.mktemp("voices")
    items = corpus(folder, "calls", speakers=18, takes=3)
    job = house.json("enqueue", str(folder))["job_id"]
    first = [item for item in items if int(item.speaker.rpartition("-")[2]) < FIRST]
    house.run("corpus", "import", "csv", str(table(first, folder / "first.csv")))
    # Whether speech is found in half a second of it does not matter here: labels belong to recordings.
    house.ended(job)
    return items


def ended(house: House, run: int, timeout_s: float = PATIENCE_S) -> dict[str, Any]:
    final = "SELECT * FROM training_runs WHERE id = :r AND state IN ('done', 'refused', 'failed', 'cancelled')"
    return house.wait(lambda: house.rows(final, r=run), f"run {run} ends", timeout_s)[0]  # type: ignore[no-any-return]


def start(house: House, *more: str) -> int:
    return int(house.json("retrain", "--now", *TRAINING, *more)["run"])


def bundle_hash(run: dict[str, Any]) -> str:
    return str(run["challenger"]["speech"]["sha256"])


def test_a_run_that_is_killed_in_the_middle_of_training_ends_with_the_same_model(
    house: House, labelled: list[LabelledUtterance]
) -> None:
    undisturbed = ended(house, start(house, "--by-hand"))
    assert undisturbed["decision"] == "passed", undisturbed["reason"]

    run = start(house, "--by-hand")
    training = "SELECT owner FROM training_runs WHERE id = :r AND stage = 'train' AND state = 'running'"
    training += " AND progress ->> 'doing' LIKE 'training: %' AND CAST(progress ->> 'done' AS int) BETWEEN 40 AND 200"
    (row,) = house.wait(lambda: house.rows(training, r=run), "training is under way", PATIENCE_S)
    os.kill(int(row["owner"].split("/")[2]), signal.SIGKILL)
    killed = ended(house, run)

    assert killed["attempt"] > undisturbed["attempt"]
    assert bundle_hash(killed) == bundle_hash(undisturbed)
    assert killed["numbers"]["judgement"] == undisturbed["numbers"]["judgement"]


def test_a_run_that_is_cancelled_stops_and_leaves_the_champion(house: House, labelled: list[LabelledUtterance]) -> None:
    before = house.one("SELECT champion_id FROM profiles WHERE name = 'tiny'")
    run = start(house, "--set", "head_steps=100000")
    head = "SELECT FROM training_runs WHERE id = :r AND progress ->> 'doing' LIKE 'training: head%'"
    house.wait(lambda: house.rows(head, r=run), "it trains", PATIENCE_S)
    house.run("models", "runs", "--cancel", str(run))
    # The worker notices, and is free for the runs of the tests below.
    free = "SELECT FROM training_runs WHERE id = :r AND owner IS NULL AND state = 'cancelled'"
    assert house.rows(free, r=run)
    assert house.one("SELECT champion_id FROM profiles WHERE name = 'tiny'") == before


def test_the_schedule_fires_and_a_promotion_reaches_workers_while_a_running_job_keeps_its_version(
    house: House, labelled: list[LabelledUtterance], tmp_path: Path
) -> None:
    # Given a job that began with the first champion and is held in the middle
    old = house.json("enqueue", str(SAMPLES))["job_id"]
    house.run("pause", str(old))
    # When new labels make the schedule due
    house.run("retrain", "--min-labels", "12", *TRAINING)
    latest = house.one("SELECT coalesce(max(id), 0) FROM training_runs")
    new = [item for item in labelled if item.speaker == f"calls-{FIRST}"]
    house.run("corpus", "import", "csv", str(table(new, tmp_path / "more.csv")))
    made = "SELECT id FROM training_runs WHERE id > :l AND trigger = 'labels'"
    (row,) = house.wait(lambda: house.rows(made, l=latest), "the schedule fires", PATIENCE_S)
    run = ended(house, row["id"])
    assert run["decision"] == "promoted", run["reason"]
    # Then jobs from now on pin the new version, and the old one goes on with its own
    extra = tmp_path / "fresh"
    extra.mkdir()
    (extra / "call.ogg").write_bytes((SAMPLES / "appointment.ogg").read_bytes())
    fresh = house.json("enqueue", str(extra))["job_id"]
    house.ended(fresh)
    house.run("resume", str(old))
    house.ended(old)
    version_of = "SELECT DISTINCT version FROM job_emotions WHERE job_id = :j"
    assert house.rows(version_of, j=old) == [{"version": 1}]
    # "appointment" was scored by the old job's version or the new one, whichever came first; the job pins the new one.
    assert house.one("SELECT profile_version_id FROM jobs WHERE id = :j", j=fresh) == run["challenger_id"]
    # And what is done can be scored by the new version too
    again = house.json("rescore", str(old))["job_id"]
    assert house.ended(again) == "done"
    assert house.rows(version_of, j=again) == [{"version": 2}]
    # And back again
    assert house.json("models", "rollback", "tiny") == {"profile": "tiny", "from": 2, "to": 1}
    newest = house.json("enqueue", str(extra))["job_id"]
    assert house.one("SELECT profile_version_id FROM jobs WHERE id = :j", j=newest) == run["champion_id"]
    assert "passed the gate" in house.run("models", "runs", str(run["id"])).stdout


def test_flipped_labels_are_refused_before_training_and_by_the_gate(
    house: House, labelled: list[LabelledUtterance], tmp_path: Path
) -> None:
    house.run("retrain", "--off")
    # Given a champion that was promoted for labels which are trusted since
    promoted = ended(house, start(house))
    assert promoted["decision"] == "promoted", promoted["reason"]
    bad = [item for item in labelled if int(item.speaker.rpartition("-")[2]) > FIRST]
    house.run("corpus", "import", "csv", str(table(bad, tmp_path / "bad.csv", flip=True)))

    looked = ended(house, start(house))
    assert (looked["decision"], looked["stage"]) == ("refused", "prepare"), looked["reason"]
    assert looked["numbers"]["code"] == "labels_contradict_themselves"

    trusted = ended(house, start(house, "--trust-labels"))
    assert (trusted["decision"], trusted["stage"]) == ("refused", "evaluate"), trusted["reason"]
    assert trusted["numbers"]["code"] in {"not_better", "negative_transfer"}
    champion = "SELECT champion_id FROM profiles WHERE name = 'tiny'"
    assert house.one(champion) == promoted["challenger_id"]
