"""Published classifiers in a profile: their own results, whatever shares the batch, in Tenor's classes, or refused."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from transformers import AutoFeatureExtractor, AutoModelForAudioClassification, pipeline

from ml.checkpoints.errors import CheckpointChanged, CheckpointMissing, CheckpointPickled, CheckpointUnsupported
from ml.emotions import EMOTIONS
from ml.errors import ModelError
from ml.features.speaker import VECTOR
from ml.inference.engine import Engine, UtteranceAudio
from ml.inference.extract import Extract
from ml.models.hub.audio import AudioClassifier
from ml.models.hub.labels import LabelMap, LabelMapInvalid
from ml.models.hub.text import TextClassifier
from ml.profiles import ProfileInvalid, load_profile
from ops.local.doctor import _models
from tests.unit import hub_models
from workers.settings import Settings

KINDS = [
    ("wav2vec2", "layer"), ("wav2vec2", "group"), ("hubert", "layer"), ("wavlm", "layer"), ("whisper", ""), ("ast", ""),
]  # fmt: skip
TEXTS = ["i am so happy", "no", "", "what a day it was and you are not at all sad about the dog", "  ", "oh no no"]


def sound(samples: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed + samples).normal(0, 0.1, samples).astype(np.float32)


@pytest.mark.parametrize(("kind", "norm"), KINDS)
def test_a_batch_gives_what_each_recording_gives_alone(kind: str, norm: str, tmp_path: Path) -> None:
    classifier = AudioClassifier.load(hub_models.audio_classifier(tmp_path, kind, norm))
    waves = [sound(samples) for samples in (16_000, 9_000, 399, 16_000, 12_345, 33_000, 400)]

    together = classifier.logits(waves)

    assert [len(pieces) > 0 for pieces in together] == [True, True, False, True, True, True, True]
    for wave, outputs in zip(waves, together, strict=True):
        np.testing.assert_allclose(outputs, classifier.logits([wave])[0], atol=1e-4)


@pytest.mark.parametrize("norm", ["layer", "group"])
def test_outputs_are_those_of_the_checkpoint_used_by_itself(norm: str, tmp_path: Path) -> None:
    folder = hub_models.audio_classifier(tmp_path, "wav2vec2", norm)
    waves = [sound(16_000), sound(9_000)]
    model, extractor = (
        AutoModelForAudioClassification.from_pretrained(folder),
        AutoFeatureExtractor.from_pretrained(folder),
    )

    ours = AudioClassifier.load(folder).logits(waves)

    for wave, outputs in zip(waves, ours, strict=True):
        with torch.inference_mode():
            expected = model(**extractor(wave, sampling_rate=16_000, return_tensors="pt")).logits
        np.testing.assert_allclose(outputs, expected.numpy(), atol=1e-4)


def test_weights_under_the_names_of_older_releases_are_found(tmp_path: Path) -> None:
    # Given a checkpoint as torch named the parts of weight norm before 2.0, without what only training reads
    folder = hub_models.audio_classifier(tmp_path)
    before = AudioClassifier.load(folder).logits([sound(9_000)])[0]
    weights = load_file(folder / "model.safetensors")
    del weights["wav2vec2.masked_spec_embed"]
    for old, new in (
        ("weight_g", "parametrizations.weight.original0"),
        ("weight_v", "parametrizations.weight.original1"),
    ):
        name = f"wav2vec2.encoder.pos_conv_embed.conv.{new}"
        weights[name.replace(new, old)] = weights.pop(name)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})

    np.testing.assert_allclose(AudioClassifier.load(folder).logits([sound(9_000)])[0], before, atol=1e-5)


def test_a_model_that_hears_two_seconds_gets_longer_utterances_in_pieces(tmp_path: Path) -> None:
    classifier = AudioClassifier.load(hub_models.audio_classifier(tmp_path, "whisper"))

    (outputs,) = classifier.logits([sound(70_000)])

    assert len(outputs) == 3
    whole = np.array_split(sound(70_000), 3)
    np.testing.assert_allclose(outputs, np.concatenate(classifier.logits(whole)), atol=1e-4)


@pytest.mark.parametrize("family", ["bert", "roberta", "xlnet"])
def test_a_text_has_the_same_outputs_alone_and_in_company(family: str, tmp_path: Path) -> None:
    classifier = TextClassifier.load(hub_models.text_classifier(tmp_path, family))

    together = classifier.logits(TEXTS)

    assert [len(outputs) for outputs in together] == [1, 1, 0, 1, 0, 1]
    for text, outputs in zip(TEXTS, together, strict=True):
        np.testing.assert_allclose(outputs, classifier.logits([text])[0], atol=1e-4)


def test_text_outputs_are_those_of_the_pipeline_of_transformers(tmp_path: Path) -> None:
    folder = hub_models.text_classifier(tmp_path)
    alone = pipeline("text-classification", str(folder), top_k=None)(TEXTS[:1])[0]
    expected = {one["label"]: one["score"] for one in alone}

    (outputs,) = TextClassifier.load(folder).logits(TEXTS[:1])

    shares = np.exp(outputs[0]) / np.exp(outputs[0]).sum()
    assert dict(zip(hub_models.EMOTION_NAMES, shares.tolist(), strict=True)) == pytest.approx(expected, abs=1e-5)


LABELS = LabelMap(
    hub_models.EMOTION_NAMES,
    {"joy": "happy", "anger": "angry", "calm": "neutral", "neutral": "neutral", "boredom": ""},
)


def test_labels_of_one_class_are_added_and_the_rest_left_out() -> None:
    shares = np.array([[0.1, 0.2, 0.15, 0.05, 0.5]])

    assert LABELS.labels == ("angry", "happy", "neutral")
    np.testing.assert_allclose(LABELS.probabilities(np.log(shares)), [[0.4, 0.2, 0.4]])


def test_a_multi_label_classifiers_judgements_are_normalised() -> None:
    judged = np.array([[0.9, 0.3, 0.2, 0.1, 0.9]])

    found = LABELS.probabilities(np.log(judged / (1 - judged)), multi_label=True)

    np.testing.assert_allclose(found, [[0.3 / 1.5, 0.9 / 1.5, 0.3 / 1.5]])


def test_certainty_about_what_is_left_out_leaves_no_class_likelier() -> None:
    np.testing.assert_allclose(LABELS.probabilities(np.array([[0.0, 0.0, 0.0, 0.0, 4000.0]])), np.full((1, 3), 1 / 3))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"boredom": None}, "lacks boredom"),
        ({"bordom": "sad"}, "has bordom, but the checkpoint tells apart joy, anger"),
        ({"joy": "joyful"}, "leads to joyful; classes are angry"),
        ({"joy": "", "anger": ""}, "fewer than two classes"),
    ],
)
def test_a_label_map_that_does_not_fit_is_named(change: dict[str, str | None], says: str) -> None:
    to = {name: label for name, label in {**LABELS.to, **change}.items() if label is not None}

    with pytest.raises(LabelMapInvalid, match=says):
        LabelMap(hub_models.EMOTION_NAMES, to)


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hub_models.profile(tmp_path_factory.mktemp("hub"))


MIXED = [
    UtteranceAudio(sound(16_000), "i am so happy [laughter]", "en"),
    UtteranceAudio(sound(300), "oh no", "en"),
    UtteranceAudio(sound(40_000), None, "en"),
    UtteranceAudio(sound(9_000), "you are not sad", "pl"),
    UtteranceAudio(sound(16_000, seed=5), "[laughter]", "en"),
]


def scores(engine: Engine, items: list[UtteranceAudio]) -> list[NDArray[np.float64]]:
    # Between stages an extract is tensors.
    extract = Extract.from_tensors(engine.extract(items).to_tensors())
    speech, text = engine.speech(extract, np.zeros((len(items), VECTOR), np.float32)), engine.text(extract)
    return [speech, text, engine.fuse(speech, text)]


def test_a_profile_of_published_models_scores_what_it_can(mine: Path) -> None:
    spec = json.loads(json.dumps(load_profile(str(mine)).resolve()))
    engine = Engine.load(spec)

    speech, text, fused = scores(engine, MIXED)

    assert engine.extract(MIXED).quality == [
        None, "audio_too_short", "no_text", "text_language_not_supported", "no_text",
    ]  # fmt: skip
    assert np.isnan(speech).all(axis=1).tolist() == [False, True, False, False, False]
    assert np.isnan(text).all(axis=1).tolist() == [False, False, True, True, True]
    unknown = [EMOTIONS.index(name) for name in ("sad", "fear", "disgust", "surprise")]
    for rows in (speech, text, fused):
        assert np.isnan(rows[:, unknown]).all()
        present = rows[~np.isnan(rows).all(axis=1)]
        assert np.allclose(np.nansum(present, axis=1), 1)
    np.testing.assert_allclose(fused[0], 0.6 * speech[0] + 0.4 * text[0])


def test_its_scores_depend_neither_on_company_nor_on_order(mine: Path) -> None:
    engine = Engine.load(load_profile(str(mine)).resolve())

    together, backwards = scores(engine, MIXED), scores(engine, MIXED[::-1])
    alone = [scores(engine, [item]) for item in MIXED]

    for side in range(3):
        np.testing.assert_allclose(together[side], np.concatenate([one[side] for one in alone]), atol=1e-4)
        np.testing.assert_allclose(together[side], backwards[side][::-1], atol=1e-4)


def test_words_by_published_models_may_join_a_voice_by_source_a(mine: Path, tmp_path: Path) -> None:
    path = tmp_path / "mixed.toml"
    words = mine.read_text().partition("[text]")[2].replace('"words"', f'"{mine.parent / "words"}"')
    path.write_text(f'[speech]\nbundle = "shipped:mini-speech"\n[text]{words}')

    speech, text, fused = scores(Engine.load(load_profile(str(path)).resolve()), MIXED[:1])

    assert not np.isnan(speech).any()
    assert np.isnan(text).sum() == 4
    assert fused.sum() == pytest.approx(1)


def test_temperature_is_that_of_the_profile(tmp_path: Path) -> None:
    path = hub_models.profile(tmp_path)
    sharp = scores(Engine.load(load_profile(str(path)).resolve()), MIXED[:1])[0]
    path.write_text(path.read_text().replace("[text]", "temperature = 8.0\n[text]", 1))

    flat = scores(Engine.load(load_profile(str(path)).resolve()), MIXED[:1])[0]

    assert np.nanmax(flat) < np.nanmax(sharp)


def test_a_specification_pins_weights_and_files(tmp_path: Path) -> None:
    path = hub_models.profile(tmp_path)
    before = load_profile(str(path))
    spec, version = before.resolve(), before.fingerprint()
    assert spec["speech"]["location"].startswith(f"{tmp_path / 'ears'}#")
    assert len(spec["speech"]["sha256"]) == 64

    weights = load_file(tmp_path / "ears" / "model.safetensors")
    weights["classifier.bias"] += 1
    save_file(weights, tmp_path / "ears" / "model.safetensors", metadata={"format": "pt"})

    with pytest.raises(CheckpointChanged, match="changed"):
        Engine.load(spec)
    assert load_profile(str(path)).fingerprint() != version


def test_a_hub_id_is_pinned_by_the_commit_that_it_stands_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a Hub whose cache has the model at a commit
    commit = "0123456789abcdef0123456789abcdef01234567"
    folder = hub_models.audio_classifier(tmp_path / "snapshots" / commit)
    asked: list[tuple[str, str | None]] = []

    def fetched(hub_id: str, *, revision: str | None, allow_patterns: list[str]) -> str:
        asked.append((hub_id, revision))
        assert not any("bin" in pattern or pattern == "*" for pattern in allow_patterns), "no pickle is fetched"
        return str(folder)

    monkeypatch.setattr("huggingface_hub.snapshot_download", fetched)
    path = tmp_path / "mine.toml"
    labels = '{ joy = "happy", anger = "angry", calm = "neutral", neutral = "neutral", boredom = "" }'
    path.write_text(f'labels = ["angry", "happy"]\n[speech]\ncheckpoint = "someone/voices"\nlabels = {labels}\n')

    spec = load_profile(str(path)).resolve()

    assert spec["speech"]["location"] == f"someone/voices@{commit}"
    Engine.load(spec)
    assert asked[0] == ("someone/voices", None)
    assert asked[-1] == ("someone/voices", commit)


def test_looking_at_a_profile_fetches_nothing(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fetched(*_: object, **__: object) -> str:
        raise AssertionError("something was fetched")

    monkeypatch.setattr("huggingface_hub.snapshot_download", fetched)

    assert load_profile("hub").remote() == [
        "superb/wav2vec2-base-superb-er", "j-hartmann/emotion-english-distilroberta-base",
    ]  # fmt: skip
    assert load_profile(str(mine)).remote() == load_profile("mini").remote() == []
    (models,) = _models(Settings(profile="hub"))
    assert models.ok and "from the Hub" in models.detail


def refused(folder: Path, speech: str = 'checkpoint = "ears"', labels: str | None = None) -> ModelError:
    path = folder / "bad.toml"
    named = labels or '{ joy = "happy", anger = "angry", calm = "neutral", neutral = "neutral", boredom = "" }'
    path.write_text(f'labels = ["angry", "happy"]\n[speech]\n{speech}\nlabels = {named}\n')
    with pytest.raises(ModelError) as caught:
        Engine.load(load_profile(str(path)).resolve())
    assert caught.value.hint
    return caught.value


def test_a_missing_model_says_what_to_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_: object, **__: object) -> str:
        raise OSError("no network")

    monkeypatch.setattr("huggingface_hub.snapshot_download", offline)

    absent, unreachable = refused(tmp_path), refused(tmp_path, 'checkpoint = "someone/voices"')

    assert isinstance(absent, CheckpointMissing) and "'ears'" in str(absent)
    assert isinstance(unreachable, CheckpointMissing) and "someone/voices" in str(unreachable)


def test_an_incomplete_label_map_names_the_label_and_the_checkpoint(tmp_path: Path) -> None:
    hub_models.audio_classifier(tmp_path / "ears")

    error = refused(tmp_path, labels='{ joy = "happy", anger = "angry" }')

    assert error.code == "label_map_invalid"
    assert "ears: the label map lacks calm, neutral, boredom" in str(error)


def test_pickled_weights_are_refused(tmp_path: Path) -> None:
    hub_models.audio_classifier(tmp_path / "ears")
    (tmp_path / "ears" / "model.safetensors").rename(tmp_path / "ears" / "pytorch_model.bin")

    assert isinstance(refused(tmp_path), CheckpointPickled)


def test_a_checkpoint_without_a_head_is_refused_before_it_scores_at_random(tmp_path: Path) -> None:
    # Given a checkpoint whose head is there but named otherwise, which transformers would replace by a random one
    folder = hub_models.audio_classifier(tmp_path / "ears")
    weights = load_file(folder / "model.safetensors")
    weights["classifier.out_proj.weight"] = weights.pop("classifier.weight")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})

    assert "classifier.weight" in str(refused(tmp_path))

    # And one that was never fine-tuned
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "architectures": ["Wav2Vec2ForPreTraining"]}))
    assert "no classifier (Wav2Vec2ForPreTraining)" in str(refused(tmp_path))


def test_models_that_predict_values_or_hear_another_rate_are_refused(tmp_path: Path) -> None:
    folder = hub_models.audio_classifier(tmp_path / "ears", problem_type="regression")
    assert isinstance(values := refused(tmp_path), CheckpointUnsupported) and "values" in str(values)

    shutil.rmtree(folder)
    hub_models.audio_classifier(folder)
    extractor = json.loads((folder / "preprocessor_config.json").read_text())
    (folder / "preprocessor_config.json").write_text(json.dumps({**extractor, "sampling_rate": 8000}))
    assert "8000 Hz" in str(refused(tmp_path))


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("labels = 3", "labels"),
        ("temperature = 0", "temperature"),
        ('languages = ["english!"]', "languages"),
        ("colour = 3", "colour"),
        ("checkpoint = 3", "checkpoint"),
    ],
)
def test_an_unusable_table_says_what_is_wrong(line: str, names: str, tmp_path: Path) -> None:
    table = {"checkpoint": 'checkpoint = "ears"', "labels": 'labels = { a = "happy" }', line.partition(" ")[0]: line}
    (tmp_path / "bad.toml").write_text("[speech]\n" + "\n".join(table.values()))

    with pytest.raises(ProfileInvalid, match=rf"\[speech\] of profile bad\.toml: .*{names}"):
        load_profile(str(tmp_path / "bad.toml"))
