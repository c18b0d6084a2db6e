"""A run retrains the text model too where there are words to learn from, through the same gate."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from db.errors import LeaseLost
from ml.adaptation.errors import PlanInvalid
from ml.corpora.types import LabelledUtterance
from ml.profiles import load_profile
from ops.retraining import _check
from tests.integration.retrained_archive import World, enter, taken, task_of, through
from tests.unit.tiny_models import text_bundle, text_encoder
from tests.unit.two_domains import champion, corpus
from workers.retraining import evaluate, prepare, promote, train
from workers.retraining.runner import Watch

PEOPLE = 15
SAID = {"happy": "i am so happy", "sad": "oh no you are sad", "angry": "what a dog !", "neutral": "it was the day"}
OTHERS = ("oh", "no", "the", "and", "not", "at", "all", "was", "you", "?")
QUICK = {"steps": 120, "batch": 16, "rate": 1e-2}


class Talking(World):
    """One whose words were kept."""

    def words(self, item: LabelledUtterance) -> str | None:
        return item.text


def spoken(items: list[LabelledUtterance]) -> Iterator[LabelledUtterance]:
    """Everybody says what he feels, and something else that is his own."""
    for number, item in enumerate(items):
        first, second = OTHERS[number % 10], OTHERS[number // 10 % 10]
        yield replace(item, text=f"{first} {second} {SAID[item.label or '']}")


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[LabelledUtterance], dict[str, Any]]:
    folder = tmp_path_factory.mktemp("words")
    champion(folder)
    text_bundle(folder / "text", text_encoder(folder / "bert"))
    (folder / "tiny.toml").write_text(
        'labels = ["angry", "happy", "neutral", "sad"]\nspeech.bundle = "champion"\ntext.bundle = "text"\n'
    )
    items = spoken(corpus(folder, "calls", speakers=PEOPLE, takes=2))
    return list(items), load_profile(str(folder / "tiny.toml")).resolve()


@pytest.fixture
def world(
    database_url: str,
    tmp_path: Path,
    material: tuple[list[LabelledUtterance], dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> Talking:
    made = Talking(database_url, *material)
    enter(made, tmp_path / "home", monkeypatch)
    made.label(range(PEOPLE))
    return made


def test_both_models_are_retrained_where_texts_have_labels_and_a_kill_in_between_changes_nothing(
    world: Talking,
) -> None:
    training = {"head_steps": 20, "judge_every": 10, "batch": 8}
    first, second = (world.insert(training=training, text=QUICK) for _ in range(2))

    assert through(world.engine, first, "prepare", prepare._work)["numbers"]["sides"] == ["speech", "text"]
    own = taken(world.engine, first, "train")
    with pytest.raises(LeaseLost):
        train._work(own, Stopping(task_of(own), world.engine, own))
    with world.engine.begin() as conn:
        own.lease.release(conn)
    resumed = through(world.engine, first, "train", train._work)["numbers"]["training"]
    evaluated = through(world.engine, first, "evaluate", evaluate._work)
    with world.engine.begin() as conn:
        conn.execute(text("UPDATE training_runs SET state = 'refused' WHERE id = :r"), {"r": first})

    through(world.engine, second, "prepare", prepare._work)
    whole = through(world.engine, second, "train", train._work)["numbers"]["training"]
    assert weights(whole["bundle"]) == weights(resumed["bundle"])
    assert weights(whole["text"]["bundle"]) == weights(resumed["text"]["bundle"])
    assert resumed["text"]["development"]["speakers"] == resumed["development"]["speakers"] != []
    challenger = evaluated["challenger"]
    assert all(challenger[side]["sha256"] != world.spec[side]["sha256"] for side in ("speech", "text"))


def weights(bundle: str) -> bytes:
    return (Path(bundle) / "weights.safetensors").read_bytes()


class Stopping(Watch):
    """Is told to stop as soon as the text model learns."""

    text = False

    def __call__(self, doing: str, done: int, of: int, **figures: float) -> None:
        self.text = self.text or doing == "training: text"

    def stopped(self) -> bool:
        return self.text


def test_the_text_model_alone_passes_the_gate_on_what_it_learned_and_the_voice_stays(
    world: Talking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ml.gate.judging.GROUP_ITEMS", 16)
    run = world.insert(side="text", text=QUICK)
    assert through(world.engine, run, "prepare", prepare._work)["numbers"]["sides"] == ["text"]
    assert "bundle" not in through(world.engine, run, "train", train._work)["numbers"]["training"]

    evaluated = through(world.engine, run, "evaluate", evaluate._work)

    judged = evaluated["numbers"]["judgement"]
    by = {one["name"]: one for one in judged["sides"]}
    assert by["by voice"]["difference"] == 0
    assert by["by words"]["challenger"] > by["by words"]["champion"] + 0.3
    assert {one["name"].split()[0] for one in judged["groups"]} == {"gender", "band"}
    assert judged["decision"]["passed"], judged["decision"]["reason"]
    assert evaluated["challenger"]["speech"]["sha256"] == world.spec["speech"]["sha256"]
    report = (Path(evaluated["folder"]) / "report.md").read_text()
    assert "| group: band telephone |" in report and "| group: gender female |" in report
    assert "| by words |" in report and "The text model was trained on" in report

    through(world.engine, run, "promote", promote._work)
    with world.engine.connect() as conn:
        spec = conn.execute(
            text("SELECT v.spec FROM profiles p JOIN profile_versions v ON v.id = p.champion_id")
        ).scalar_one()
    assert Path(spec["text"]["location"]).is_dir() and spec["text"]["sha256"] != world.spec["text"]["sha256"]


@pytest.mark.parametrize(("wanted", "sides"), [(None, ["speech"]), ("both", None), ("text", None)])
def test_without_texts_in_its_languages_the_text_model_stays_and_is_refused_where_it_was_asked_for(
    world: Talking, wanted: str | None, sides: list[str] | None
) -> None:
    with world.engine.begin() as conn:
        conn.execute(text("UPDATE labels SET language = 'pl'"))
    run = through(
        world.engine, world.insert(**({"side": wanted} if wanted else {})), "prepare", prepare._work
    )  # fmt: skip
    assert run["numbers"].get("sides") == sides
    if sides is None:
        assert (run["state"], run["numbers"]["code"]) == ("refused", "too_few_texts")
        assert "0 different labelled texts of 0 people in en" in run["reason"]


def test_sides_and_settings_that_do_not_exist_are_refused_when_they_are_typed() -> None:
    for plan in ({"side": "smell"}, {"text": {"stepps": 3}}, {"text": {"steps": -1}}):
        with pytest.raises(PlanInvalid):
            _check(plan)
