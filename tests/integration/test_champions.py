"""Who is champion, how that changes and is taken back, back-filling, and the drift of what a champion says."""

import getpass
import json
import socket
import uuid
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from db.engine import make_engine
from db.tables.scores import EMOTIONS
from ml.corpora.manifest import freeze
from ml.corpora.types import LabelledUtterance
from ml.profiles import load_profile
from tests.integration.cli_world import Tenor
from tests.integration.planting import Plant, distribution
from workers.app import app
from workers.errors import NoEarlierChampion, RunRefused
from workers.jobs import versions
from workers.jobs.rescoring import rescore
from workers.ledger import dispatch
from workers.retraining import data, drift, promote
from workers.settings import Settings


@pytest.fixture
def profile(plant: Plant) -> int:
    profile = plant.profile()
    plant.version(profile, 1, champion=True)
    return profile


# ----- who is champion


def test_a_promotion_stands_while_the_profiles_file_says_the_same(plant: Plant) -> None:
    written = load_profile("mini")
    first = versions.ensure_version(plant.conn, written)
    profile = versions.profile_id(plant.conn, "mini")
    spec = {**written.resolve(), "fusion": {"kind": "score", "w_speech": 0.9, "w_text": 0.1}}
    better = versions.add_version(plant.conn, profile, spec)
    assert versions.ensure_version(plant.conn, written) == first

    versions.crown(plant.conn, profile, better, why="it passed", run_id=None)
    assert versions.ensure_version(plant.conn, written) == better

    other = load_profile("mini-speech-only")
    changed = type(written)(**{name: getattr(other, name) for name in written.__slots__} | {"name": "mini"})
    newest = versions.ensure_version(plant.conn, changed)
    assert newest not in {first, better}
    assert versions.ensure_version(plant.conn, written) == first


def test_rolling_back_goes_to_the_champion_before_and_further(plant: Plant, profile: int) -> None:
    first = plant.rows("SELECT champion_id AS v FROM profiles")[0]["v"]
    second, third = plant.version(profile, 2), plant.version(profile, 3)
    versions.crown(plant.conn, profile, second, why="")
    versions.crown(plant.conn, profile, third, why="")
    assert versions.roll_back(plant.conn, profile, why="") == (third, second)
    assert versions.roll_back(plant.conn, profile, why="") == (second, first)
    with pytest.raises(NoEarlierChampion):
        versions.roll_back(plant.conn, profile, why="")
    assert versions.roll_back(plant.conn, profile, to=3, why="") == (first, third)


def passed(plant: Plant, profile: int, folder: Path) -> int:
    """A run that passed the gate and waits for a person, with the files that promotion reads."""
    audio = folder / "a.wav"
    audio.write_bytes(b"sound")
    item = LabelledUtterance("own", "1", "s1", "sad", "en", audio_path=audio)
    for name in (data.TARGET, data.HELD):
        freeze([item], folder / name)
    (folder / "reference.json").write_text(json.dumps({"utterances": 1, "reference": {}}))
    champion = plant.rows("SELECT champion_id AS v FROM profiles")[0]["v"]
    spec = load_profile("mini").resolve()
    return plant.row(
        "training_runs", due_at="2026-01-01", trigger="hand", profile_id=profile, plan="{}", root_id=uuid.uuid4(),
        state="done", stage="promote", decision="passed", reason="better", champion_id=champion, folder=str(folder),
        challenger=json.dumps(spec),
    )  # fmt: skip


def test_a_promotion_by_hand_leaves_version_reason_trusted_data_and_reference(
    plant: Plant, profile: int, tmp_path: Path
) -> None:
    run = passed(plant, profile, tmp_path)
    made = promote.promote_by_hand(plant.conn, Settings(home=tmp_path), run)
    assert plant.rows("SELECT champion_id AS v FROM profiles") == [{"v": made}]
    assert plant.rows("SELECT challenger_id AS v, decision FROM training_runs") == [{"v": made, "decision": "promoted"}]
    assert [one.role for one in data.corpora(plant.conn, profile)] == ["holdout", "learned"]
    assert plant.rows("SELECT source FROM quality_references") == [{"source": "training"}]


def test_what_did_not_pass_the_gate_takes_a_reason_that_is_kept(plant: Plant, profile: int, tmp_path: Path) -> None:
    run = passed(plant, profile, tmp_path)
    plant.conn.execute(text("UPDATE training_runs SET state = 'refused', decision = 'refused', reason = 'worse'"))
    with pytest.raises(RunRefused, match="did not pass the gate: worse"):
        promote.promote_by_hand(plant.conn, Settings(home=tmp_path), run)
    promote.promote_by_hand(plant.conn, Settings(home=tmp_path), run, "the old one is biased")
    (event,) = plant.rows("SELECT detail ->> 'why' AS why FROM events WHERE kind = 'champion'")
    assert event["why"] == "by hand: the old one is biased; the gate: worse"


def test_on_the_command_line_nothing_passes_the_gate_unless_somebody_says_why_and_is_named(
    plant: Plant, profile: int, tmp_path: Path, database_url: str
) -> None:
    run = passed(plant, profile, tmp_path)
    plant.conn.execute(text("UPDATE training_runs SET state = 'refused', decision = 'refused', reason = 'worse'"))
    (before,) = plant.rows("SELECT champion_id AS v FROM profiles")
    plant.conn.commit()
    tenor = Tenor(database_url, tmp_path / "home")

    for override in ((), ("--override", " ")):
        done = tenor("models", "promote", str(run), *override)
        assert done.returncode == 1
        assert f"Error: Run {run} did not pass the gate: worse. --override REASON promotes" in done.stderr
        assert plant.rows("SELECT champion_id AS v FROM profiles") == [before]

    done = tenor("models", "promote", str(run), "--override", "the old one is biased")
    assert done.returncode == 0, done.stderr
    shown = tenor("models", "show", "mini").stdout
    assert not (tmp_path / "home").exists(), "nothing has to be started for it"
    who = f"{getpass.getuser()}@{socket.gethostname()}"
    assert f"1 → 2: by hand: the old one is biased; the gate: worse ({who})" in shown


def test_whoever_beat_a_champion_that_is_gone_is_not_promoted(plant: Plant, profile: int, tmp_path: Path) -> None:
    run = passed(plant, profile, tmp_path)
    versions.crown(plant.conn, profile, plant.version(profile, 2), why="")
    with pytest.raises(RunRefused, match="another champion"):
        promote.promote_by_hand(plant.conn, Settings(home=tmp_path), run)


def test_a_bundle_goes_to_the_store_where_one_is_named(tmp_path: Path) -> None:
    bundle = Settings(home=tmp_path).models / "runs" / "7" / "adapted"
    bundle.mkdir(parents=True)
    for name in ("bundle.json", "weights.safetensors"):
        (bundle / name).write_text(name)
    spec = {"speech": {"location": str(bundle), "sha256": "0" * 64}}
    assert promote.publish(spec, Settings(home=tmp_path), 7) == spec
    published = promote.publish(spec, Settings(home=tmp_path, artifacts_url="memory://store"), 7)
    assert published["speech"]["location"] == "memory://store/models/run-7-" + "0" * 16
    import fsspec

    assert fsspec.filesystem("memory").cat("/store/models/run-7-" + "0" * 16 + "/bundle.json") == b"bundle.json"


# ----- back-filling and drift


def analysed(plant: Plant, version: int, count: int, angry: float = 0.1) -> tuple[int, int]:
    """A job with a recording of so many utterances, scored; (job, alignment)."""
    archive = plant.archive(f"/{uuid.uuid4()}")
    recording = plant.recording()
    file = plant.file(archive, "a.wav", recording)
    spoken = [("ann", float(n), n + 0.9, None) for n in range(count)]
    alignment = plant.alignment(recording, file, spoken)
    job = plant.job(archive, version, state="done")
    batch = plant.batch(job, version)
    rest = [angry + (n % 10) * 0.02 for n in range(count)]
    plant.score(alignment, version, batch, [distribution(angry=a, sad=1 - a) for a in rest])
    plant.conn.execute(text("UPDATE batches SET finished_at = clock_timestamp()"))
    plant.link(job, file, "done", recording_id=recording, alignment_id=alignment, profile_version_id=version)
    return job, alignment


def test_rescoring_makes_a_job_that_scores_what_that_version_has_not(plant: Plant, profile: int) -> None:
    first = plant.rows("SELECT champion_id AS v FROM profiles")[0]["v"]
    second = plant.version(profile, 2)
    job, alignment = analysed(plant, first, 5)

    made = rescore(plant.conn, Settings(), job, 2)

    assert plant.rows("SELECT state, reused FROM job_recordings WHERE job_id = :j", j=made) == [
        {"state": "scoring", "reused": False}
    ]
    members = plant.rows("SELECT alignment_id, profile_version_id FROM batch_members")
    assert members == [{"alignment_id": alignment, "profile_version_id": second}]
    again = rescore(plant.conn, Settings(), job, 1)
    assert plant.rows("SELECT state, reused FROM job_recordings WHERE job_id = :j", j=again) == [
        {"state": "done", "reused": True}
    ]


def test_every_batch_that_is_scored_again_begins_a_chain_that_flower_can_follow(
    plant: Plant, profile: int, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = plant.rows("SELECT champion_id AS v FROM profiles")[0]["v"]
    plant.version(profile, 2)
    job, _ = analysed(plant, first, 4)
    made = rescore(plant.conn, Settings(batch_s=2), job, 2)
    stages = dispatch.admit(plant.conn, Settings())
    plant.conn.commit()
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(app, "send_task", lambda name, **options: sent.append({"name": name, **options}))

    dispatch.send(app, make_engine(database_url), stages)
    dispatch.send(app, make_engine(database_url), stages)

    assert [one["name"] for one in sent] == 2 * ["extract.batch"] * 2
    roots = {one["root_id"] for one in sent}
    assert len(roots) == 2 and all(one["task_id"] == one["root_id"] and one["parent_id"] is None for one in sent)
    later = plant.rows("SELECT root_id FROM stages WHERE job_id = :j AND stage = 'fuse'", j=made)
    assert {str(row["root_id"]) for row in later} == roots


def test_drift_is_measured_against_what_was_scored_first(plant: Plant, profile: int, database_url: str) -> None:
    version = plant.rows("SELECT champion_id AS v FROM profiles")[0]["v"]
    engine = make_engine(database_url)
    analysed(plant, version, 150)
    plant.conn.commit()
    assert drift.measure_all(engine, days=7) == 0
    assert plant.rows("SELECT source, utterances FROM quality_references") == [{"source": "first", "utterances": 150}]
    assert drift.measure_all(engine, days=7) == 0

    analysed(plant, version, 150, angry=0.6)
    plant.conn.commit()
    assert drift.measure_all(engine, days=7) == 1
    (found,) = plant.rows("SELECT drifted, psi_worst_of, utterances, mmd_p FROM model_quality")
    assert found["drifted"] and found["mmd_p"] < 0.05
    assert found["psi_worst_of"] in {f"p_{name}" for name in EMOTIONS} | {"confidence"}
    assert drift.measure_all(engine, days=7) == 0
