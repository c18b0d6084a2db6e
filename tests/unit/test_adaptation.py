"""Adapting a speech model: every method ends as a bundle, target labels help, and a killed run ends as another."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

from ml.adaptation import loop
from ml.adaptation.adapt import BUNDLE, WORK, Adapted, adapt
from ml.adaptation.coral import Coral
from ml.adaptation.errors import DataLacking, ModelUnsupported, PlanInvalid, Stopped, SupportTooSmall
from ml.adaptation.gathering import Gathered, banks, material
from ml.adaptation.loop import Progress
from ml.adaptation.material import SOURCE, TARGET, UNLABELLED, make_batch
from ml.adaptation.method import Work
from ml.adaptation.network import KINDS, Champion
from ml.adaptation.plan import AdaptationPlan, MethodChoice
from ml.adaptation.registry import CARDS, rows
from ml.bundles import load_bundle
from ml.corpora.manifest import Manifest
from ml.inference.makiuchi import MakiuchiSpeech
from ml.profiles.sides import BundleSide
from ml.training.checkpoint import CheckpointUnreadable
from tests.unit.tiny_models import SPEECH_ENCODER, text_bundle, text_encoder
from tests.unit.two_domains import FOUR, World, quick_voices, vectors_of, waves_of, world

#: Settings with which a method does something on forty short utterances.
SMALL: dict[str, dict[str, Any]] = {
    "autoencoder": {"steps": 3},
    "gender-start": {"steps": 3},
    "pseudo-labels": {"threshold": 0.0},
    "cross-modal": {"confidence": 0.0},
}


@pytest.fixture(scope="module", params=KINDS)
def here(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[World]:
    """Two corpora, and a model of either kind that has learned the first."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield world(tmp_path_factory.mktemp("domains"), request.param)
    torch.set_num_threads(before)


def run(here: World, out: Path, *methods: str, **values: Any) -> Adapted:
    """A short adaptation of the model that knows the first corpus to the second one."""
    given = {name: values.pop(name) for name in ("target", "source", "unlabelled", "teacher", "stop") if name in values}
    choices = tuple(MethodChoice(name, SMALL.get(name, {})) for name in methods)
    plan = AdaptationPlan(choices, **{"head_steps": 4, "batch": 8, "judge_every": 10, **values})
    given = {"target": None, "source": [here.source], "unlabelled": here.target.items, **given}
    return adapt(plan, champion=here.champion, out=out, embed=quick_voices, device="cpu", cache=here.cache, **given)


def balanced(here: World, bundle: Path, held: Manifest) -> float:
    """Balanced accuracy by the path that production takes."""
    model = MakiuchiSpeech.load(BundleSide(str(bundle)).resolve("speech"), "cpu")
    said = model.scores(model.frames(waves_of(held.items)), vectors_of(held))
    right = np.array([FOUR[row.argmax()] == item.label for row, item in zip(said, held.items, strict=True)])
    return float(np.mean([right[[item.label == label for item in held.items]].mean() for label in FOUR]))


@pytest.mark.parametrize("method", [name for name in CARDS if name not in ("ctc-start", "cross-modal")])
def test_every_method_ends_as_a_bundle_that_inference_loads(here: World, tmp_path: Path, method: str) -> None:
    if here.kind not in CARDS[method].kinds:
        with pytest.raises(ModelUnsupported):
            run(here, tmp_path, method)
        return
    target = here.target if "target labels" in CARDS[method].needs else None
    deep = {"encoder_steps": 2} if method == "lora" else {}

    adapted = run(here, tmp_path, method, target=target, **deep)

    scores = MakiuchiSpeech.load(BundleSide(str(adapted.bundle)).resolve("speech"), "cpu")
    frames = scores.frames(waves_of(here.tested.items)[:2])
    np.testing.assert_allclose(scores.scores(frames, vectors_of(here.tested)[:2]).sum(axis=1), 1)
    said = load_bundle(str(adapted.bundle)).meta.metrics["adaptation"]
    assert said["parent"] == here.champion["sha256"]
    assert here.source.fingerprint in said["manifests"]
    assert "relatedness" in said["notes"]


def test_an_encoder_of_a_recogniser_and_a_text_model_can_be_had_too(here: World, tmp_path: Path) -> None:
    Wav2Vec2ForCTC(Wav2Vec2Config(**SPEECH_ENCODER, vocab_size=12)).save_pretrained(tmp_path / "ctc")
    text_bundle(tmp_path / "text", text_encoder(tmp_path / "bert"))
    teacher = BundleSide(str(tmp_path / "text")).resolve("text")
    plan = AdaptationPlan((MethodChoice("ctc-start", {"checkpoint": str(tmp_path / "ctc")}),), head_steps=2, batch=8)

    started = adapt(
        plan, champion=here.champion, target=here.target, out=tmp_path / "a", embed=quick_voices, device="cpu"
    )
    taught = run(here, tmp_path / "b", "cross-modal", teacher=teacher)

    assert load_bundle(str(started.bundle)).meta.config["encoder"]["source"] == str(tmp_path / "ctc")
    assert taught.notes["cross-modal"]["taught"] == len(here.target.items)


def test_fine_tuning_on_the_target_beats_the_model_that_never_heard_it(here: World, tmp_path: Path) -> None:
    before = balanced(here, Path(here.champion["location"]), here.tested)

    rates = {"head_rate": 1e-2, "encoder_rate": 3e-3, "source_share": 0.3, "development": 0.0}
    stages = {"head_steps": 40, "encoder_steps": 60, "top_layers": 2}

    adapted = run(here, tmp_path, "finetune", target=here.target, **rates, **stages)

    assert before < 0.7
    assert balanced(here, adapted.bundle, here.tested) > before


def test_a_handful_of_development_utterances_choose_no_step(
    here: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = run(here, tmp_path / "few", "finetune", target=here.target).notes["development"]
    monkeypatch.setattr(loop, "DECIDING", few["utterances"])
    enough = run(here, tmp_path / "enough", "finetune", target=here.target).notes["development"]

    assert few["chosen_step"] is None and 0 < few["utterances"] == enough["utterances"]
    assert enough["chosen_step"] in range(5)


def test_correlation_alignment_gives_the_source_the_mean_and_the_covariance_of_the_target(here: World) -> None:
    champion, plan = Champion.load(here.champion), AdaptationPlan.of("coral")
    gathered = Gathered.of(None, [here.source], here.target.items)
    bank = banks(champion, gathered, here.cache).frames
    data = material(gathered, champion, champion.labels, plan, here.cache, voices={}, embed=quick_voices)
    work = Work(champion.network, data, champion.labels, plan, bank, 1.0, "cpu")
    batch = make_batch(data, bank, data.domain(SOURCE, TARGET, UNLABELLED), (work.segment, 1), "cpu")

    moved = Coral(work).remap(batch.features, batch)

    torch.testing.assert_close(moved[batch.is_target], batch.features[batch.is_target])
    unit = batch.features[batch.mask].std(dim=0) + 1e-6
    (ours, theirs), (ours_moved, _) = (
        [(own[part] / unit)[batch.mask[part]] for part in (~batch.is_target, batch.is_target)]
        for own in (batch.features, moved)
    )
    torch.testing.assert_close(ours_moved.mean(dim=0), theirs.mean(dim=0), rtol=1e-2, atol=1e-2)
    before, after = (float((torch.cov(own.T) - torch.cov(theirs.T)).norm()) for own in (ours, ours_moved))
    assert after < before


def test_a_new_class_is_learned_and_known_ones_keep_their_rows(here: World, tmp_path: Path) -> None:
    wider = (*FOUR, "fear")

    adapted = run(here, tmp_path, "finetune", target=here.wider, labels=wider, head_steps=1, head_rate=1e-9)

    parent, child = load_bundle(here.champion["location"]), load_bundle(str(adapted.bundle))
    assert child.meta.labels == wider
    last = "classifier.3.weight" if here.kind == "makiuchi-speech" else "classifier.2.weight"
    old, new = (b.part("head")[last].float() for b in (parent, child))
    torch.testing.assert_close(new[:4], old, rtol=1e-2, atol=1e-3)
    assert new[4].abs().sum() > 0


def test_a_run_that_is_killed_goes_on_to_equal_weights(here: World, tmp_path: Path) -> None:
    plain = run(here, tmp_path / "plain", "mmd", "multitask", head_steps=24, encoder_steps=12, save_every=3)
    arguments = [sys.executable, "-m", "tests.unit.two_domains", str(here.folder), str(tmp_path / "killed")]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    first = subprocess.Popen(arguments, env=environment)
    checkpoint = tmp_path / "killed" / WORK / "adaptation.safetensors"
    deadline = time.monotonic() + 180
    while not checkpoint.is_file() and first.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert checkpoint.is_file() and not (tmp_path / "killed" / BUNDLE).exists(), "killed between checkpoint and end"

    again = run(here, tmp_path / "killed", "mmd", "multitask", head_steps=24, encoder_steps=12, save_every=3)

    assert again.meta.sha256 == plain.meta.sha256
    with pytest.raises(CheckpointUnreadable):
        run(here, tmp_path / "killed", "mmd", "multitask", head_steps=24, encoder_steps=12, save_every=3, seed=2)


def test_a_run_stops_when_it_is_told_to_and_says_how_far_it_is(here: World, tmp_path: Path) -> None:
    heard: list[Progress] = []
    plan = AdaptationPlan.of("finetune", head_steps=30, batch=8)
    given: dict[str, Any] = {"champion": here.champion, "target": here.target, "out": tmp_path, "embed": quick_voices}

    def stop() -> bool:
        return bool(heard) and heard[-1].stage == "head" and heard[-1].step >= 3

    with pytest.raises(Stopped):
        adapt(plan, **given, report=heard.append, stop=stop, device="cpu", cache=here.cache)

    steps = [one for one in heard if one.stage == "head"]
    assert [one.step for one in steps] == [1, 2, 3]
    assert [one.stage for one in heard].index("relatedness") < [one.stage for one in heard].index("head")
    assert all(one.total == 30 and one.losses["emotion"] > 0 for one in steps)
    assert all(one.eta_s is not None and one.eta_s > 0 for one in steps)


def test_plans_that_cannot_be_are_refused_with_a_name(here: World, tmp_path: Path) -> None:
    with pytest.raises(PlanInvalid):
        run(here, tmp_path, "magic")
    with pytest.raises(PlanInvalid):
        AdaptationPlan.from_json({"methods": [{"name": "mmd"}], "stepps": 3})
    with pytest.raises(PlanInvalid):
        run(here, tmp_path, "mmd", labels=("angry", "sad"))
    with pytest.raises(DataLacking):
        run(here, tmp_path, "finetune")
    with pytest.raises(DataLacking):
        run(here, tmp_path, "cross-modal")
    with pytest.raises(PlanInvalid):
        run(here, tmp_path, "lora", target=here.target)


def test_weights_that_would_rest_on_a_few_utterances_are_refused(
    here: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def one_counts(source: np.ndarray, target: np.ndarray, *, c: float) -> np.ndarray:
        return np.where(np.arange(len(source)) == 0, 10.0, 0.1)

    monkeypatch.setattr("ml.adaptation.density.logistic_ratio", one_counts)

    with pytest.raises(SupportTooSmall):
        run(here, tmp_path, "density-ratio")


def test_a_plan_survives_its_json_and_every_method_has_a_row() -> None:
    plan = AdaptationPlan((MethodChoice("mmd", {"weight": 2.0}),), labels=("angry", "sad"), encoder_steps=5)

    assert AdaptationPlan.from_json(plan.to_json()) == plan
    assert [row[0] for row in rows()[1:]] == list(CARDS)
