"""A profile's models at work: what is scored, what is not and why, whatever shares the batch."""

import copy
import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ml.bundles import BundleCorrupt
from ml.errors import ModelError
from ml.features.speaker import VECTOR
from ml.inference.engine import Engine, UtteranceAudio
from ml.inference.extract import Extract
from ml.inference.makiuchi import MAX_PIECE
from ml.profiles import ProfileInvalid, load_profile
from tests.unit import tiny_models


@pytest.fixture(scope="module")
def profile_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.profile(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def engine(profile_path: Path) -> Engine:
    # A specification comes back from the database as JSON.
    return Engine.load(json.loads(json.dumps(load_profile(str(profile_path)).resolve())))


def sound(seconds: float, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(0, 0.1, round(seconds * 16_000)).astype(np.float32)


def voices(count: int) -> NDArray[np.float32]:
    return np.random.default_rng(9).random((count, VECTOR), dtype=np.float32)


MIXED = [
    UtteranceAudio(sound(1.0, 1), "i am so happy", "en"),
    UtteranceAudio(sound(0.02, 2), "oh no", "en"),
    UtteranceAudio(sound(2.7, 3), None, "en"),
    UtteranceAudio(sound(0.4, 4), "[laughter]", "en"),
    UtteranceAudio(sound(1.3, 5), "jest dobrze", "pl"),
    UtteranceAudio(sound(0.025, 6), "what a day it was", "en-GB"),
    UtteranceAudio(np.zeros(0, dtype=np.float32), "", None),
    UtteranceAudio(np.zeros(16_000, dtype=np.float32), "you are not sad", "en"),
]


def scores(engine: Engine, items: list[UtteranceAudio], vectors: NDArray[np.float32]) -> list[NDArray[np.float64]]:
    extract = Extract.from_tensors(engine.extract(items).to_tensors())
    speech, text = engine.speech(extract, vectors), engine.text(extract)
    return [speech, text, engine.fuse(speech, text)]


def test_every_utterance_gets_what_it_can_and_a_note_on_what_it_cannot(engine: Engine) -> None:
    extract = engine.extract(MIXED)
    speech, text, fused = scores(engine, MIXED, voices(len(MIXED)))

    assert extract.quality == [
        None,
        "audio_too_short",
        "no_text",
        "no_text",
        "text_language_not_supported",
        None,
        "audio_too_short no_text",
        None,
    ]
    assert np.isnan(speech).all(axis=1).tolist() == [False, True, False, False, False, False, True, False]
    assert np.isnan(text).all(axis=1).tolist() == [False, False, True, True, True, False, True, False]
    assert np.isnan(fused).all(axis=1).tolist() == [False] * 6 + [True, False]
    for rows in (speech, text, fused):
        assert np.allclose(rows[~np.isnan(rows).all(axis=1)].sum(axis=1), 1)


def test_scores_depend_neither_on_company_nor_on_order(engine: Engine) -> None:
    vectors = voices(len(MIXED))
    together = scores(engine, MIXED, vectors)
    backwards = scores(engine, MIXED[::-1], vectors[::-1].copy())
    alone = [scores(engine, [item], vectors[i : i + 1]) for i, item in enumerate(MIXED)]

    for side in range(3):
        assert np.allclose(together[side], np.concatenate([one[side] for one in alone]), atol=1e-4, equal_nan=True)
        assert np.allclose(together[side], backwards[side][::-1], atol=1e-6, equal_nan=True)


def test_the_same_batch_again_gives_the_same_bits(engine: Engine, profile_path: Path) -> None:
    again = Engine.load(load_profile(str(profile_path)).resolve())

    for first, second in zip(
        scores(engine, MIXED, voices(len(MIXED))), scores(again, MIXED, voices(len(MIXED))), strict=True
    ):
        assert np.array_equal(first, second, equal_nan=True)


def test_the_speaker_counts(engine: Engine) -> None:
    extract = engine.extract(MIXED[:1])

    assert not np.allclose(engine.speech(extract, voices(1)), engine.speech(extract, voices(1) * 5))


def test_an_extract_travels_unchanged(engine: Engine) -> None:
    extract = engine.extract(MIXED)

    arrived = Extract.from_tensors(extract.to_tensors())

    assert arrived.quality == extract.quality
    for sent, got in ((extract.frames, arrived.frames), (extract.tokens, arrived.tokens)):
        assert all(np.array_equal(a, b) and a.shape == b.shape for a, b in zip(sent, got, strict=True))


def test_an_empty_batch_is_an_empty_result(engine: Engine) -> None:
    speech, text, fused = scores(engine, [], voices(0))

    assert speech.shape == text.shape == fused.shape == (0, 7)


def test_an_utterance_longer_than_a_pass_is_encoded_in_pieces(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    lengths: list[int] = []
    encode = engine._speech.encoder.encode

    def spy(waveforms, weights):  # type: ignore[no-untyped-def]
        lengths.extend(len(wave) for wave in waveforms)
        return encode(waveforms, weights)

    monkeypatch.setattr(engine._speech.encoder, "encode", spy)

    extract = engine.extract([UtteranceAudio(sound(130.0))])

    assert len(lengths) == 3
    assert max(lengths) <= MAX_PIECE
    assert 130 * 50 - 6 <= len(extract.frames[0]) <= 130 * 50


def test_without_a_text_model_words_are_not_missed(profile_path: Path, tmp_path: Path) -> None:
    path = tmp_path / "voice.toml"
    path.write_text(f'speech.bundle = "{profile_path.parent / "speech"}"')
    engine = Engine.load(load_profile(str(path)).resolve())

    extract = engine.extract(MIXED[:3])
    speech, text, fused = scores(engine, MIXED[:3], voices(3))

    assert extract.quality == [None, "audio_too_short", None]
    assert np.isnan(text).all()
    assert np.array_equal(fused, speech, equal_nan=True)


def test_the_faithful_text_variant_scores_the_same_utterances(tmp_path: Path) -> None:
    engine = Engine.load(load_profile(str(tiny_models.profile(tmp_path, variant="faithful"))).resolve())

    _, text, _ = scores(engine, MIXED, voices(len(MIXED)))

    assert [len(tokens) for tokens in engine.extract(MIXED[:3]).tokens] == [120, 120, 0]
    assert np.isnan(text).all(axis=1).tolist() == [False, False, True, True, True, False, True, False]
    # Temperature 0.5 doubles the span that the sigmoid leaves.
    assert np.nanmax(text) <= np.exp(2) / (np.exp(2) + 6)


def test_source_a_as_published_runs_over_encoders_that_its_bundles_name(tmp_path: Path) -> None:
    tiny_models.faithful_bundles(tmp_path / "makiuchi2021" / "bundles")
    spec = load_profile("makiuchi2021", trained=tmp_path).resolve()
    engine = Engine.load(spec)

    together = scores(engine, MIXED, voices(len(MIXED)))
    alone = [scores(engine, [item], voices(len(MIXED))[i : i + 1]) for i, item in enumerate(MIXED)]

    for side in range(3):
        assert np.allclose(together[side], np.concatenate([one[side] for one in alone]), atol=1e-4, equal_nan=True)
    # Frames are those of a mel spectrogram, one for one.
    assert [len(frames) for frames in engine.extract(MIXED).frames][:3] == [51, 0, 136]
    spec["speech"]["config"]["encoder"]["sha256"] = "0" * 64
    with pytest.raises(ModelError, match="not the one that was pinned"):
        Engine.load(spec)


def test_a_bundle_over_the_mel_spectrogram_needs_no_encoder(tmp_path: Path) -> None:
    tiny_models.mel_bundle(tmp_path / "speech")
    (tmp_path / "mel.toml").write_text('speech.bundle = "speech"')
    engine = Engine.load(load_profile(str(tmp_path / "mel.toml")).resolve())

    extract = engine.extract(MIXED[:3])

    assert [frames.shape for frames in extract.frames] == [(51, 80), (0, 80), (136, 80)]
    assert np.isnan(engine.speech(extract, voices(3))).all(axis=1).tolist() == [False, True, False]


def test_a_bundle_that_changed_after_the_profile_was_frozen_is_refused(tmp_path: Path) -> None:
    path = tiny_models.profile(tmp_path)
    spec = load_profile(str(path)).resolve()
    tiny_models.text_bundle(tmp_path / "text", tmp_path / "bert", variant="faithful")
    spec["text"]["sha256"] = "0" * 64

    with pytest.raises(BundleCorrupt, match="pinned"):
        Engine.load(spec)


def test_another_text_encoder_than_the_pinned_one_is_refused(profile_path: Path) -> None:
    spec = load_profile(str(profile_path)).resolve()
    spec["text"] = copy.deepcopy(spec["text"])
    spec["text"]["config"]["encoder"]["sha256"] = "0" * 64

    with pytest.raises(ModelError, match="not the one that was pinned"):
        Engine.load(spec)


def test_weights_that_do_not_fit_the_configuration_are_named(profile_path: Path) -> None:
    spec = json.loads(json.dumps(load_profile(str(profile_path)).resolve()))
    spec["speech"]["config"]["head"]["channels"] = 13

    with pytest.raises(ModelError, match="tiny-makiuchi-speech do not fit"):
        Engine.load(spec)


def test_a_specification_in_another_form_says_to_enqueue_again() -> None:
    with pytest.raises(ProfileInvalid) as caught:
        Engine.load({"spec_version": 0})

    assert "Enqueue again" in caught.value.hint
