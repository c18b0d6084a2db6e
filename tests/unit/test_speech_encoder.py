"""The speech encoder and source A's head: independent of the batch, honest about lengths, loadable as published."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import Wav2Vec2Config, Wav2Vec2Model

from ml.encoders.speech import SpeechEncoder, accumulate_layers, normalise
from ml.errors import ModelError
from ml.models.makiuchi.config import SpeechEmotionConfig
from ml.models.makiuchi.speech import SpeechEmotionModel
from tests.unit import hub_models

SMALL: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "conv_dim": (16,) * 7,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
}
TYPES = {
    "layer norm": {"feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True},
    "group norm": {"feat_extract_norm": "group", "do_stable_layer_norm": False},
}


@pytest.fixture(params=list(TYPES))
def encoder(request: pytest.FixtureRequest) -> SpeechEncoder:
    torch.manual_seed(3)
    return SpeechEncoder(Wav2Vec2Model(Wav2Vec2Config(**SMALL, **TYPES[request.param])))


@pytest.fixture
def waveforms() -> list[np.ndarray]:
    rng = np.random.default_rng(5)
    return [rng.standard_normal(n).astype(np.float32) for n in (16_000, 7_001, 12_345, 400, 7_001)]


def test_a_batch_gives_what_each_waveform_gives_alone(encoder: SpeechEncoder, waveforms: list[np.ndarray]) -> None:
    weights = np.array([0.5, 1, 2, 0.3], dtype=np.float32)
    for together, wave in zip(encoder.encode(waveforms, weights), waveforms, strict=True):
        (alone,) = encoder.encode([wave], weights)
        assert together.shape == alone.shape == (encoder.frames(len(wave)), 32)
        np.testing.assert_allclose(together, alone, atol=1e-4)


def test_the_layer_average_is_that_of_the_hidden_states(encoder: SpeechEncoder, waveforms: list[np.ndarray]) -> None:
    weights = np.array([0.5, 1, 2, 0.3], dtype=np.float32)
    values = torch.from_numpy(normalise(waveforms[0]))[None]
    with torch.inference_mode():
        output = encoder.model(values, output_hidden_states=True)
    # Source A's transformers gave the last state after the final LayerNorm; newer ones give it before.
    states = [*output.hidden_states[:-1], output.last_hidden_state]
    expected = sum(float(w) * h for w, h in zip(weights, states, strict=True)) / weights.sum()

    (averaged,) = encoder.encode([waveforms[0]], weights)

    np.testing.assert_allclose(averaged, expected[0].numpy(), atol=1e-4)


@pytest.mark.parametrize("kind", list(TYPES))
def test_states_are_counted_as_source_a_counts_them(kind: str) -> None:
    # Given a model, and its states reckoned block by block: what enters the first block, and what leaves each
    torch.manual_seed(8)
    model = Wav2Vec2Model(Wav2Vec2Config(**SMALL, **TYPES[kind])).eval()
    values = torch.from_numpy(normalise(np.random.default_rng(9).standard_normal(8_000).astype(np.float32)))[None]
    with torch.inference_mode():
        hidden, _ = model.feature_projection(model.feature_extractor(values).transpose(1, 2))
        hidden = hidden + model.encoder.pos_conv_embed(hidden)
        states = [hidden if TYPES[kind]["do_stable_layer_norm"] else model.encoder.layer_norm(hidden)]
        for block in model.encoder.layers:
            output = block(states[-1])
            states.append(output[0] if isinstance(output, tuple) else output)
        if TYPES[kind]["do_stable_layer_norm"]:
            # Only the last one is after the encoder's final norm; the others are the residual stream.
            states[-1] = model.encoder.layer_norm(states[-1])

    # Then a weight of one on each index finds that state
    for index, state in enumerate(states):
        with torch.inference_mode(), accumulate_layers(model, torch.eye(4)[index]) as average:
            model(values)
        assert average.value is not None
        torch.testing.assert_close(average.value, state, atol=1e-5, rtol=1e-4)


def test_no_weights_means_the_last_layer(encoder: SpeechEncoder, waveforms: list[np.ndarray]) -> None:
    only_last = np.array([0, 0, 0, 1], dtype=np.float32)
    np.testing.assert_allclose(
        encoder.encode([waveforms[0]])[0], encoder.encode([waveforms[0]], only_last)[0], atol=1e-5
    )


def test_a_waveform_below_the_receptive_field_has_no_frames(encoder: SpeechEncoder) -> None:
    assert encoder.encode([np.zeros(399, dtype=np.float32)])[0].shape == (0, 32)


def test_weights_for_another_depth_are_refused(encoder: SpeechEncoder, waveforms: list[np.ndarray]) -> None:
    with pytest.raises(ModelError, match="4 layers but the model was trained on 3"):
        encoder.encode(waveforms[:1], np.ones(3, dtype=np.float32))


def test_a_checkpoint_in_the_hubs_format_loads_exactly(
    encoder: SpeechEncoder, waveforms: list[np.ndarray], tmp_path: Path
) -> None:
    encoder.model.save_pretrained(tmp_path)
    loaded = SpeechEncoder.load(tmp_path)
    np.testing.assert_array_equal(loaded.encode(waveforms[:1])[0], encoder.encode(waveforms[:1])[0])


def test_a_checkpoint_of_another_kind_is_refused_instead_of_run_with_random_weights(tmp_path: Path) -> None:
    hub_models.audio_classifier(tmp_path / "hubert", "hubert")
    with pytest.raises(ModelError, match="'hubert', not wav2vec2") as caught:
        SpeechEncoder.load(tmp_path / "hubert")
    assert caught.value.hint

    # And one that lacks a layer which its configuration names
    folder = hub_models.audio_classifier(tmp_path / "wav2vec2")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 3}))
    with pytest.raises(ModelError, match=r"encoder\.layers\.2"):
        SpeechEncoder.load(folder)


def test_a_missing_checkpoint_says_what_to_name(tmp_path: Path) -> None:
    with pytest.raises(ModelError) as missing:
        SpeechEncoder.load(tmp_path / "nothing")
    assert "Hub id" in missing.value.hint


@pytest.fixture
def head() -> SpeechEmotionModel:
    torch.manual_seed(4)
    config = SpeechEmotionConfig(input_size=32, speaker_size=6, channels=24)
    return SpeechEmotionModel(config).eval()


def test_the_paper_sizes_are_the_default() -> None:
    config = SpeechEmotionConfig()
    codes = config.segment_frames // config.factor * 2 * config.bottleneck
    assert (config.input_size, config.channels, codes) == (1024, 2048, 32)


def test_an_utterance_is_the_mean_of_its_segments_by_real_frames(head: SpeechEmotionModel) -> None:
    rng = np.random.default_rng(6)
    frames = rng.standard_normal((96 + 30, 32)).astype(np.float32)
    voice = rng.standard_normal((1, 6)).astype(np.float32)

    whole = head.predict([frames], voice)[0]
    parts = [head.predict([part], voice)[0] for part in (frames[:96], frames[96:])]

    np.testing.assert_allclose(whole, (96 * parts[0] + 30 * parts[1]) / 126, atol=1e-6)
    assert whole.sum() == pytest.approx(1)


def test_segments_do_not_see_who_shares_their_batch(head: SpeechEmotionModel) -> None:
    rng = np.random.default_rng(7)
    items = [rng.standard_normal((n, 32)).astype(np.float32) for n in (5, 96, 200, 1, 400)]
    voices = rng.standard_normal((5, 6)).astype(np.float32)
    together = head.predict(items, voices)
    for index in range(5):
        alone = head.predict([items[index]], voices[index : index + 1])
        np.testing.assert_allclose(together[index], alone[0], atol=1e-5)


def test_no_frames_is_no_score(head: SpeechEmotionModel) -> None:
    empty = np.zeros((0, 32), dtype=np.float32)
    assert np.isnan(head.predict([empty], np.zeros((1, 6), dtype=np.float32))).all()


def test_a_configuration_survives_the_bundle(head: SpeechEmotionModel) -> None:
    assert SpeechEmotionModel.from_config(head.to_config()).config == head.config
    with pytest.raises(ModelError, match="multiple"):
        SpeechEmotionModel.from_config({**head.to_config(), "factor": 7})


def test_loading_a_checkpoint_draws_no_bars_into_a_commands_output(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    Wav2Vec2Model(Wav2Vec2Config(**SMALL, **TYPES["layer norm"])).save_pretrained(tmp_path)
    capfd.readouterr()

    SpeechEncoder.load(str(tmp_path))

    assert capfd.readouterr() == ("", "")
