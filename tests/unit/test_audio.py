"""Decoding and channels, on audio made here."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from ml.audio.channels import ChannelChoice, Mode
from ml.audio.decode import SAMPLE_RATE, channel_samples, decode, probe
from ml.audio.errors import AudioEmpty, AudioMissing, AudioSilent, AudioTooShort, AudioUnreadable


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


def chosen(samples: np.ndarray, mode: Mode, block: int = 700) -> tuple[int, ...]:
    choice = ChannelChoice()
    for begin in range(0, samples.shape[1], block):
        choice.add(samples[:, begin : begin + block])
    return choice.chosen(mode)


def test_channels_are_split_when_they_carry_different_voices() -> None:
    rng = np.random.default_rng(3)
    left, right = rng.standard_normal((2, 16_000)).astype(np.float32) * 0.1
    silent = np.zeros(16_000, dtype=np.float32)

    assert chosen(np.stack([left, right]), "auto") == (0, 1)
    assert chosen(np.stack([left, left * 0.5]), "auto") == ()
    assert chosen(np.stack([left + 0.5, right + 0.5]), "auto") == (0, 1), "an offset is no likeness"
    assert chosen(np.stack([silent, right]), "auto") == (1,)
    assert chosen(np.stack([left, right]), "mix") == ()
    assert chosen(np.stack([left, silent, right]), "split") == (0, 2)
    np.testing.assert_array_equal(channel_samples(np.stack([left, right]), 1), right)


def test_channels_are_alike_over_the_whole_recording_and_not_in_one_block() -> None:
    rng = np.random.default_rng(4)
    left, right = rng.standard_normal((2, 16_000)).astype(np.float32) * 0.1
    turned = np.concatenate([left[:8_000], -left[8_000:]])

    # Alike in each half, but with opposite signs: over the whole they cancel out
    assert chosen(np.stack([left, turned]), "auto", block=8_000) == (0, 1)
    assert chosen(np.stack([left, right]), "auto", block=1) == chosen(np.stack([left, right]), "auto", block=16_000)


@pytest.mark.parametrize(("rate", "subtype"), [(8_000, "PCM_16"), (16_000, "FLOAT"), (44_100, "PCM_24")])
def test_a_late_part_is_found_without_decoding_what_is_before(tmp_path: Path, rate: int, subtype: str) -> None:
    path = tmp_path / "noise.wav"
    noise = np.random.default_rng(5).uniform(-0.5, 0.5, (12 * rate + 7, 2)).astype(np.float32)
    soundfile.write(path, noise, rate, subtype=subtype)
    whole = decode(path)

    for start_s, end_s in ((1.25, 2.0), (3.0, 3.5), (7.1234, 9.25), (10.5, 13.0)):
        part = whole[:, round(start_s * SAMPLE_RATE) : round(end_s * SAMPLE_RATE)]
        np.testing.assert_array_equal(decode(path, start_s, end_s), part)
    with pytest.raises(AudioEmpty, match="before the part"):
        decode(path, 40.0, 41.0)


def test_what_is_no_number_is_silence_and_too_much_of_it_no_recording(tmp_path: Path) -> None:
    samples = sine(2.0, SAMPLE_RATE)
    samples[100:200] = np.nan
    soundfile.write(tmp_path / "some.wav", samples, SAMPLE_RATE, subtype="FLOAT")
    samples[:8_000] = np.inf
    soundfile.write(tmp_path / "much.wav", samples, SAMPLE_RATE, subtype="FLOAT")

    assert not decode(tmp_path / "some.wav")[0, 100:200].any()
    with pytest.raises(AudioUnreadable, match="25% of the samples"):
        decode(tmp_path / "much.wav")
