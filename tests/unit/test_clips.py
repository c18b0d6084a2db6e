"""Stretches cut into files of their own."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from ml.audio.clips import clip_name, write_clip
from ml.audio.errors import AudioMissing


def test_a_clip_holds_the_speakers_channel_at_16_khz(tmp_path: Path) -> None:
    # Given a stereo call: silence on the left, a tone on the right from 1 s on
    times = np.arange(3 * 16_000) / 16_000
    right = np.where(times >= 1, 0.5 * np.sin(2 * np.pi * 440 * times), 0.0)
    soundfile.write(tmp_path / "call.wav", np.stack([np.zeros_like(right), right], axis=1), 16_000)

    for channel, loudness in ((1, 0.5), (0, 0.0), (None, 0.25), (7, 0.25)):
        write_clip(tmp_path / "call.wav", 1.0, 2.5, channel, tmp_path / "clips" / "x.flac")

        samples, rate = soundfile.read(tmp_path / "clips" / "x.flac")
        assert (rate, samples.shape) == (16_000, (24_000,))
        assert np.abs(samples).max() == pytest.approx(loudness, abs=0.01)
    assert [file.name for file in (tmp_path / "clips").iterdir()] == ["x.flac"]


def test_a_clip_that_cannot_be_cut_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(AudioMissing):
        write_clip(tmp_path / "gone.wav", 0.0, 1.0, None, tmp_path / "clips" / "x.flac")

    assert not (tmp_path / "clips" / "x.flac").exists()
    assert clip_name("ab" * 32, 1.5, 2.25) == "abababababababab-00001500-00002250.flac"
