"""Decoding, channels and voice activity, on audio made here and on the sample calls."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ml.audio.decode import SAMPLE_RATE, channel_samples, choose_channels, decode, probe
from ml.audio.errors import AudioEmpty, AudioMissing, AudioSilent, AudioTooShort, AudioUnreadable
from ml.audio.vad import cut_to_utterances, speech_segments
from ops.samples import ARCHIVE


def sine(seconds: float, rate: int, hertz: float = 440.0) -> np.ndarray:
    return (0.4 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)).astype(np.float32)


@pytest.mark.parametrize(("rate", "suffix"), [(8_000, "wav"), (44_100, "flac"), (48_000, "ogg"), (16_000, "wav")])
def test_any_rate_becomes_16_khz_with_its_length_and_pitch(tmp_path: Path, rate: int, suffix: str) -> None:
    path = tmp_path / f"tone.{suffix}"
    soundfile.write(path, sine(2.0, rate), rate)

    samples = decode(path)

    assert samples.shape[0] == 1 and samples.dtype == np.float32
    assert samples.shape[1] / SAMPLE_RATE == pytest.approx(2.0, abs=0.02)
    spectrum = np.abs(np.fft.rfft(samples[0]))
    assert np.fft.rfftfreq(samples.shape[1], 1 / SAMPLE_RATE)[spectrum.argmax()] == pytest.approx(440, abs=2)


def test_a_part_is_what_the_whole_holds_there(tmp_path: Path) -> None:
    path = tmp_path / "noise.wav"
    noise = np.random.default_rng(1).uniform(-0.5, 0.5, (3 * 16_000, 2)).astype(np.float32)
    soundfile.write(path, noise, 16_000, subtype="FLOAT")

    np.testing.assert_allclose(decode(path, 1.25, 2.0), decode(path)[:, 20_000:32_000], atol=1e-6)
    np.testing.assert_allclose(decode(path), noise.T, atol=1e-4)


def test_a_header_is_read_without_decoding(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "stereo.wav", np.stack([sine(1.5, 8_000)] * 2, axis=1), 8_000)
    info = probe(tmp_path / "stereo.wav")
    assert (info.sample_rate, info.channels) == (8_000, 2)
    assert info.duration_s == pytest.approx(1.5)


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("none.wav", None, AudioMissing),
        ("empty.wav", b"", AudioEmpty),
        ("text.mp3", b"hello " * 500, AudioUnreadable),
        ("header.wav", b"RIFF\x00\x00\x00\x00WAVE", AudioUnreadable),
    ],
)
def test_unusable_files_are_named_with_what_to_do(
    tmp_path: Path, name: str, content: bytes | None, error: type[Exception]
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(error) as named:
        decode(tmp_path / name)
    assert getattr(named.value, "hint", "")


def test_silence_and_a_click_are_no_recordings(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "silent.wav", np.zeros(16_000), 16_000)
    soundfile.write(tmp_path / "click.wav", sine(0.05, 16_000), 16_000)
    with pytest.raises(AudioSilent):
        decode(tmp_path / "silent.wav")
    with pytest.raises(AudioTooShort, match=r"0\.050 s"):
        decode(tmp_path / "click.wav")


def test_a_cut_file_gives_what_is_left(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "whole.flac", np.random.default_rng(2).uniform(-0.3, 0.3, 10 * 16_000), 16_000)
    content = (tmp_path / "whole.flac").read_bytes()
    (tmp_path / "cut.flac").write_bytes(content[: len(content) // 2])
    assert 3 < decode(tmp_path / "cut.flac").shape[1] / SAMPLE_RATE < 6


def test_channels_are_split_when_they_carry_different_voices() -> None:
    rng = np.random.default_rng(3)
    left, right = rng.standard_normal((2, 16_000)).astype(np.float32) * 0.1
    silent = np.zeros(16_000, dtype=np.float32)

    assert choose_channels(np.stack([left, right]), "auto") == (0, 1)
    assert choose_channels(np.stack([left, left * 0.5]), "auto") == ()
    assert choose_channels(np.stack([silent, right]), "auto") == (1,)
    assert choose_channels(np.stack([left, right]), "mix") == ()
    assert choose_channels(np.stack([left, silent, right]), "split") == (0, 2)
    np.testing.assert_array_equal(channel_samples(np.stack([left, right]), 1), right)


def test_speech_is_found_in_a_call_and_not_in_a_tone() -> None:
    call = decode(ARCHIVE / "appointment.ogg")
    found = speech_segments(call[0])
    assert 3 < sum(end - start for start, end in found) < call.shape[1] / SAMPLE_RATE
    assert found == speech_segments(call[0]), "the same audio gives the same segments"
    assert speech_segments(sine(3.0, SAMPLE_RATE)) == []


def test_utterances_join_near_segments_and_cut_long_ones_without_overlap() -> None:
    pieces = cut_to_utterances([(1.0, 2.0), (2.2, 3.0), (5.0, 41.0)], 42.0, max_s=15.0)
    assert len(pieces) == 4
    assert pieces[0] == pytest.approx((0.9, 3.1))
    assert all(end - start <= 15.2 for start, end in pieces)
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(pieces))
