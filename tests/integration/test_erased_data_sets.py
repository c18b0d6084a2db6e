"""What retraining has kept of what is erased: frozen data sets, clips, caches, reports, references, runs under way."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from db.errors import LeaseLost
from ml.corpora.types import LabelledUtterance
from ml.profiles import load_profile
from ops import erasing
from tests.integration.finding import in_database, in_files
from tests.integration.retrained_archive import World, enter, taken, through
from tests.unit.two_domains import champion, corpus
from workers import context
from workers.erasing import erase as steps
from workers.retraining import data, due, evaluate, prepare, promote, runs, train
from workers.retraining.data import HELD, TARGET

PEOPLE, LABELLED = 15, 13
TRAINING = {"head_steps": 4, "judge_every": 2, "batch": 8}


@pytest.fixture(scope="module")
def voices(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[LabelledUtterance], dict[str, Any]]:
    folder = tmp_path_factory.mktemp("voices")
    champion(folder)
    (folder / "tiny.toml").write_text(
        'labels = ["angry", "happy", "neutral", "sad"]\nspeech.bundle = "champion"\n', encoding="utf-8"
    )
    items = corpus(folder, "calls", speakers=PEOPLE, takes=3)
    return items, load_profile(str(folder / "tiny.toml")).resolve()


@pytest.fixture
def world(
    database_url: str,
    tmp_path: Path,
    voices: tuple[list[LabelledUtterance], dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> World:
    made = World(database_url, *voices)
    enter(made, tmp_path / "home", monkeypatch)
    made.label(range(LABELLED))
    return made


def rows(world: World, query: str, **values: Any) -> list[dict[str, Any]]:
    with world.engine.connect() as conn:
        return [dict(row) for row in conn.execute(text(query), values).mappings()]


def erase(world: World, *recordings: str, speaker: str | None = None) -> erasing.Erased:
    with world.engine.connect() as conn:
        chosen = erasing.choose(conn, recordings, speaker)
    return erasing.erase(world.engine, context.settings(), chosen)


def people(folder: str, name: str) -> set[str]:
    return {item.speaker for item in data.frozen(Path(folder) / name, check_audio=True).items}


def test_a_promoted_run_says_what_was_erased_and_keeps_nothing_of_it(world: World) -> None:
    # Given a run whose model is champion, which has learned from some, tested on some and heard others
    run_id = world.insert(method="finetune", training=TRAINING, unlabelled=20)
    for stage, work in (("prepare", prepare), ("train", train), ("evaluate", evaluate)):
        before = through(world.engine, run_id, stage, work._work)
    with world.engine.begin() as conn:
        conn.execute(text("UPDATE training_runs SET state = 'refused' WHERE id = :r"), {"r": run_id})
        version = promote.promote_by_hand(conn, context.settings(), run_id, "to try it")
    folder, home = before["folder"], context.settings().home
    learned, held = people(folder, TARGET), people(folder, HELD)
    development = set(before["numbers"]["training"]["development"]["speakers"])
    gone = [min(development), min(held)]
    single = next(
        number for item, number in zip(world.items, world.recordings, strict=True)
        if f"archive-{item.speaker}" in learned - set(gone)
    )  # fmt: skip
    (row,) = rows(world, "SELECT sha256 FROM recordings WHERE id = :r", r=single)
    words = [*gone, row["sha256"][:16]]
    assert all(in_files(home, [word]) and in_database(world.engine, [word]) for word in words)
    plan = _plan(world, gone[0])
    assert plan.learned_from == ["mini version 2"] and plan.frozen == 12 and plan.clips == 12

    # When two of the people and a recording are erased
    for name in gone:
        erase(world, speaker=name.removeprefix("archive-"))
    erase(world, str(single))

    # Then nothing is left of them on disk or in any table, and the data sets are whole without them
    assert in_files(home, words) == set() and in_database(world.engine, words) == set()
    assert people(folder, TARGET) == learned - set(gone) and people(folder, HELD) == held - set(gone)
    (after,) = rows(world, "SELECT fingerprint, numbers FROM training_runs WHERE id = :r", r=run_id)
    assert after["numbers"]["erased"] == {"utterances": 25, "fingerprint_before": before["fingerprint"]}
    target, holdout = (data.frozen(Path(folder) / name) for name in (TARGET, HELD))
    assert after["fingerprint"] == f"{target.fingerprint[:32]}{holdout.fingerprint[:32]}" != before["fingerprint"]
    with world.engine.connect() as conn:
        assert {one.manifest.fingerprint for one in data.corpora(conn, world.profile)} == {
            row["fingerprint"] for row in rows(world, "SELECT fingerprint FROM training_corpora")
        }
    report = (Path(folder) / "report.md").read_text()
    assert report.startswith("# ") and report.count("25 utterances of the data below") == 1
    (reference,) = rows(world, "SELECT reference FROM quality_references WHERE profile_version_id = :v", v=version)
    assert reference["reference"]["voices"] is None and reference["reference"]["probabilities"]


def _plan(world: World, name: str) -> steps.Plan:
    with world.engine.connect() as conn:
        return erasing.plan(conn, context.settings(), erasing.choose(conn, [], name.removeprefix("archive-")))


def test_a_run_under_way_that_holds_it_is_stopped_and_its_folder_goes(world: World) -> None:
    run_id = world.insert(method="finetune", training=TRAINING)
    folder = Path(through(world.engine, run_id, "prepare", prepare._work)["folder"])
    own = taken(world.engine, run_id, "train")
    name = min(people(str(folder), TARGET))

    done = erase(world, speaker=name.removeprefix("archive-"))

    assert not done.finished and done.counts["stopped_runs"] == 1
    (row,) = rows(world, "SELECT state, error_code FROM training_runs")
    assert row == {"state": "cancelled", "error_code": "data_erased"}
    with pytest.raises(LeaseLost), world.engine.begin() as conn:
        runs.advance(conn, own, {})

    # Its worker notices late, and has written something meanwhile
    (folder / TARGET).write_text(name)
    with world.engine.connect() as conn:
        due.tidy(conn)
    assert not folder.exists()
    # Somebody looks again when it must have noticed
    assert steps.look_again(world.engine, context.settings()) == 0
    with world.engine.begin() as conn:
        conn.execute(text("UPDATE erasures SET todo = jsonb_set(todo, '{look_again_at}', '0')"))
    assert steps.look_again(world.engine, context.settings()) == 1
    assert rows(world, "SELECT todo FROM erasures WHERE finished_at IS NOT NULL") == [{"todo": None}]


def test_a_run_that_does_not_hold_it_goes_on(world: World) -> None:
    run_id = world.insert(method="finetune", training=TRAINING, unlabelled=0)
    folder = through(world.engine, run_id, "prepare", prepare._work)["folder"]
    with world.engine.begin() as conn:
        conn.execute(text("UPDATE training_runs SET numbers = numbers || :more"), {"more": json.dumps({"note": "x"})})

    # The last two have no labels, and nobody has heard them
    assert erase(world, speaker=f"calls-{PEOPLE - 1}").finished

    (row,) = rows(world, "SELECT state, stage, numbers FROM training_runs")
    assert (row["state"], row["stage"]) == ("ready", "train") and "erased" not in row["numbers"]
    assert len(people(folder, TARGET) | people(folder, HELD)) == LABELLED
