"""Retraining by real workers: labels in, a run that survives kill -9, a promotion that nobody has to be told of."""

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from db.engine import make_engine
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


def kill(house: House, run: int, stage: str, condition: str = "true") -> None:
    """Kill -9 whoever works on a stage of a run, while a lock on its row keeps the stage from being over before."""
    working = f"SELECT owner FROM training_runs WHERE id = :r AND stage = :s AND state = 'running' AND {condition}"
    with make_engine(house.services.database_url).connect() as conn:

        def caught() -> Any:
            found = conn.execute(text(f"{working} FOR UPDATE"), {"r": run, "s": stage}).scalar()
            if found is None:
                conn.rollback()
            return found

        owner = house.wait(caught, f"{stage} is under way", PATIENCE_S)
        os.kill(int(owner.split("/")[2]), signal.SIGKILL)


def test_a_run_that_is_killed_in_every_stage_ends_with_the_same_model(
    house: House, labelled: list[LabelledUtterance]
) -> None:
    undisturbed = ended(house, start(house, "--by-hand"))
    assert undisturbed["decision"] == "passed", undisturbed["reason"]

    run = start(house, "--by-hand")
    kill(house, run, "prepare")
    # Behind the first checkpoints, and before the last.
    halfway = "progress ->> 'doing' LIKE 'training: %' AND CAST(progress ->> 'done' AS int) BETWEEN 40 AND 200"
    kill(house, run, "train", halfway)
    kill(house, run, "evaluate")
    killed = ended(house, run)

    assert killed["attempt"] == undisturbed["attempt"] + 3
    assert killed["fingerprint"] == undisturbed["fingerprint"]
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


@pytest.fixture
def two_beats(house: House) -> Iterator[None]:
    """A second beat and a second worker that does what beats say, both of them busy."""
    house.start_another("beat")
    house.start_another("maintenance")
    for name in ("beat-2", "maintenance-2"):
        house.wait(lambda name=name: ticks(house, name) > 1, f"{name} ticks", PATIENCE_S)  # type: ignore[misc]
    yield
    house.stop_others()


def ticks(house: House, name: str) -> int:
    """How often a beat has sent, or a worker has finished, the look at what is due."""
    return len(re.findall(r"Sending due task retrain |Task retrain\.due\S+ succeeded", house.log(name)))


def test_two_beats_fire_one_run_and_its_promotion_reaches_workers_while_a_running_job_keeps_its_version(
    house: House, labelled: list[LabelledUtterance], two_beats: None, tmp_path: Path
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
    programs = ("beat", "beat-2", "maintenance", "maintenance-2")
    before = {name: ticks(house, name) for name in programs}
    house.wait(lambda: all(ticks(house, name) > before[name] + 1 for name in programs), "all tick on", PATIENCE_S)
    assert len(house.rows(made, l=latest)) == 1
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


@pytest.fixture(scope="module")
def promoted(house: House, labelled: list[LabelledUtterance]) -> dict[str, Any]:
    """A run whose worker was killed in the middle of its promotion, with `versions`: how many there were before."""
    house.run("retrain", "--off")
    versions = house.one("SELECT count(*) FROM profile_versions")
    run = start(house)
    with make_engine(house.services.database_url).connect() as conn:
        # Whoever promotes waits for this row in the middle of its transaction.
        conn.execute(text("SELECT FROM profiles WHERE name = 'tiny' FOR NO KEY UPDATE"))
        waits = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%champion_id FROM prof%'"
        house.wait(lambda: house.rows(waits), "the promotion is under way", PATIENCE_S)
        (row,) = house.rows("SELECT owner FROM training_runs WHERE id = :r AND stage = 'promote'", r=run)
        os.kill(int(row["owner"].split("/")[2]), signal.SIGKILL)
    return ended(house, run) | {"versions": versions}


def test_a_run_that_is_killed_while_it_promotes_promotes_once(house: House, promoted: dict[str, Any]) -> None:
    assert promoted["decision"] == "promoted", promoted["reason"]
    assert house.one("SELECT count(*) FROM profile_versions") == promoted["versions"] + 1
    assert house.one("SELECT champion_id FROM profiles WHERE name = 'tiny'") == promoted["challenger_id"]


def test_flipped_labels_are_refused_before_training_and_by_the_gate(
    house: House, labelled: list[LabelledUtterance], promoted: dict[str, Any], tmp_path: Path
) -> None:
    # Given a champion that was promoted for labels which are trusted since
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
