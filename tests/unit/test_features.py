"""Mel frames, wav2vec frames, phones and voices of one utterance fit each other, whatever its length."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from transformers import Wav2Vec2Config, Wav2Vec2Model

from ml.alignment.phone_ids import SILENCE, UNKNOWN, phone_id
from ml.alignment.types import Phone, Utterance, Word
from ml.encoders.framing import centred_frames, centring
from ml.encoders.speech import SpeechEncoder
from ml.features.mel import mel_spectrogram
from ml.features.speaker import VECTOR, speaker_vector, whole_vector
from ml.features.targets import targets

RNG = np.random.default_rng(11)
#: All lengths from the shortest that gives a frame over several hops, and some as long as utterances are.
LENGTHS = [*range(400, 2001), *RNG.integers(2001, 480_000, 200).tolist()]


def noise(samples: int) -> NDArray[np.float32]:
    return np.random.default_rng(samples).normal(0, 0.1, samples).astype(np.float32)


def tone(hertz: float, seconds: float = 1.0, level: float = 0.5) -> NDArray[np.float32]:
    return (level * np.sin(2 * np.pi * hertz * np.arange(round(seconds * 16_000)) / 16_000)).astype(np.float32)


@pytest.fixture(scope="module")
def encoder() -> SpeechEncoder:
    torch.manual_seed(1)
    config: dict[str, Any] = {
        "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8,
        "conv_dim": (2,) * 7, "num_conv_pos_embeddings": 4, "num_conv_pos_embedding_groups": 1,
        "feat_extract_norm": "layer", "do_stable_layer_norm": True,
    }  # fmt: skip
    return SpeechEncoder(Wav2Vec2Model(Wav2Vec2Config(**config)), centred=True)


def test_a_centred_waveform_has_as_many_wav2vec_frames_as_mel_frames_at_every_length(encoder: SpeechEncoder) -> None:
    padded = torch.tensor([length + 2 * centring(length) for length in LENGTHS])

    counts = encoder.model._get_feat_extract_output_lengths(padded)

    assert counts.tolist() == [length // 320 + 1 for length in LENGTHS]


@pytest.mark.parametrize("length", [400, 479, 480, 639, 640, 719, 720, 1999, 16_000, 31_279])
def test_the_convolutions_and_the_spectrogram_really_give_them(encoder: SpeechEncoder, length: int) -> None:
    (frames,) = encoder.encode([noise(length)])

    assert len(frames) == len(mel_spectrogram(noise(length))) == centred_frames(length)


def test_centred_frames_do_not_depend_on_company(encoder: SpeechEncoder) -> None:
    waves = [noise(length) for length in (719, 400, 16_000, 5_000)]

    for together, wave in zip(encoder.encode(waves), waves, strict=True):
        np.testing.assert_allclose(together, encoder.encode([wave])[0], atol=1e-4)


def test_what_gives_no_wav2vec_frame_has_no_mel_frame(encoder: SpeechEncoder) -> None:
    assert mel_spectrogram(noise(399)).shape == (0, 80)
    assert encoder.encode([noise(399)])[0].shape == (0, 8)
    assert len(targets(noise(399)).phones) == 0


def test_silence_is_zero_and_nothing_is_above_one() -> None:
    assert not mel_spectrogram(np.zeros(8_000, dtype=np.float32)).any()
    assert mel_spectrogram(100 * noise(8_000)).max() == 1.0


def test_a_tone_lies_in_its_band_and_ten_times_the_level_is_a_fifth_of_the_range() -> None:
    loud, soft = mel_spectrogram(tone(1000))[10:40], mel_spectrogram(tone(1000, level=0.05))[10:40]

    # 80 Slaney bands between 90 and 7600 Hz: linear below 1000 Hz (15 mel), logarithmic above
    top = 15 + np.log(7.6) / (np.log(6.4) / 27)
    expected = (15 - 1.35) / ((top - 1.35) / 81) - 1
    assert abs(loud.mean(axis=0).argmax() - expected) <= 1
    peak = loud.mean(axis=0).argmax()
    assert (loud[:, peak] - soft[:, peak]).mean() == pytest.approx(0.2, abs=1e-3)


def test_the_level_of_a_tone_follows_from_window_bank_and_reference() -> None:
    from librosa.filters import mel

    # Given a tone on a bin: its magnitude is half its level times the sum of the window, with half of that beside it
    bank = mel(sr=16_000, n_fft=400, n_mels=80, fmin=90, fmax=7600)
    magnitude = 0.5 / 2 * 200
    band = bank[:, 24:27] @ np.array([magnitude / 2, magnitude, magnitude / 2])
    expected = (20 * np.log10(band.max()) - 16 + 100) / 100

    assert mel_spectrogram(tone(1000))[20].max() == pytest.approx(expected, abs=0.01)


def test_rumble_is_not_heard() -> None:
    rumble, hum = mel_spectrogram(tone(12, 2.0))[20:80], mel_spectrogram(tone(100, 2.0))[20:80]

    assert hum.max() - rumble.max() > 0.2


def test_phones_are_as_many_as_mel_frames_however_times_are_rounded() -> None:
    # Given an utterance whose samples are a frame less than its times say
    samples = noise(16_000 - 161)
    said = Utterance(
        0, "ann", 2.0, 3.0, text="an", words=(Word("an", 2.2, 2.6),),
        phones=(Phone("AE", 2.2, 2.4), Phone("N", 2.4, 2.6)),
    )  # fmt: skip

    found = targets(samples, said)

    assert len(found.mel) == len(found.phones) == 50
    assert found.phones.tolist() == (
        [SILENCE] * 10 + [phone_id("AE", "B")] * 10 + [phone_id("N", "E")] * 10 + [SILENCE] * 20
    )


def test_without_an_aligner_every_phone_is_unknown() -> None:
    assert set(targets(noise(8_000)).phones.tolist()) == {UNKNOWN}
    assert set(targets(noise(8_000), Utterance(0, "ann", 0.0, 0.5, text="tak")).phones.tolist()) == {UNKNOWN}


def test_a_speakers_vector_is_the_plain_mean_of_the_first_hundred() -> None:
    embeddings = [RNG.standard_normal(256).astype(np.float32) for _ in range(120)]

    np.testing.assert_allclose(speaker_vector([None, *embeddings]), np.mean(embeddings[:100], axis=0), atol=1e-6)
    assert not speaker_vector([None]).any()


def test_a_hundred_may_be_drawn_at_random_without_repetition() -> None:
    embeddings = [np.full(256, number, np.float32) for number in range(120)]

    drawn = {float(speaker_vector(embeddings, drawn_by=np.random.default_rng(seed))[0]) for seed in range(5)}

    assert len(drawn) == 5
    assert all(49.5 <= mean <= 69.5 for mean in drawn)
    few = speaker_vector(embeddings[:3], drawn_by=np.random.default_rng(0))
    assert (few == 1.0).all()


def test_a_speaker_of_an_older_alignment_has_a_vector_that_says_nothing_of_the_usual_voice() -> None:
    vector = whole_vector([0.5] * 256, ())

    assert vector.shape == (VECTOR,)
    assert (vector[:256] == 0.5).all() and not vector[256:].any()
