"""Reading a recording by time: the same samples whether they are held in memory or on disk."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ml.audio import reader
from ml.audio.decode import SAMPLE_RATE, channel_samples, decode
from ml.audio.errors import AudioSilent, NoTemporarySpace
from ml.audio.reader import open_audio
from workers.errors import DiskFull
from workers.ledger import failures


@pytest.fixture(scope="module")
def call(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven seconds of three different channels at 44.1 kHz."""
    path = tmp_path_factory.mktemp("reader") / "call.flac"
    soundfile.write(path, np.random.default_rng(1).uniform(-0.5, 0.5, (7 * 44_100 + 11, 3)), 44_100)
    return path


@pytest.mark.parametrize("mode", ["auto", "split", "mix"])
def test_a_recording_on_disk_reads_like_one_in_memory(call: Path, mode: str) -> None:
    with (
        open_audio(call, mode) as memory,  # type: ignore[arg-type]
        open_audio(call, mode, in_memory_bytes=10_000) as disk,  # type: ignore[arg-type]
    ):
        assert memory.origins == disk.origins
        assert memory.duration_s == disk.duration_s == pytest.approx(7.0, abs=0.01)
        for channel in (None, *range(memory.channels)):
            for start_s, end_s in ((0.0, None), (1.5, 2.25), (-1.0, 0.5), (6.9, 60.0), (8.0, 9.0)):
                one, other = memory.read(channel, start_s, end_s), disk.read(channel, start_s, end_s)
                np.testing.assert_array_equal(one, other)
            blocks = list(disk.blocks(channel, 10_000))
            assert {len(block) for block in blocks[:-1]} == {10_000}
            np.testing.assert_array_equal(np.concatenate(blocks), memory.read(channel))


def test_channels_are_those_of_the_file_and_their_mix(call: Path) -> None:
    samples = decode(call)
    with open_audio(call, "split") as split:
        assert split.origins == (0, 1, 2)
        np.testing.assert_array_equal(split.read(2, 1.0, 2.0), samples[2, SAMPLE_RATE : 2 * SAMPLE_RATE])
        np.testing.assert_allclose(split.read(None), samples.mean(axis=0), atol=1e-6)
    with open_audio(call, "auto") as mixed:
        assert mixed.origins == (None,)
        np.testing.assert_array_equal(mixed.read(0), channel_samples(samples, None))


def test_the_mix_is_of_the_analysed_channels_only(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    voices = rng.uniform(-0.5, 0.5, (16_000, 3)) * [1, 0, 1]
    soundfile.write(tmp_path / "call.wav", voices, 16_000, subtype="FLOAT")
    with open_audio(tmp_path / "call.wav") as audio:
        assert audio.origins == (0, 2)
        np.testing.assert_allclose(audio.read(None), voices[:, [0, 2]].mean(axis=1), atol=1e-4)


def test_a_silent_recording_is_named_also_when_it_lies_on_disk(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "silent.wav", np.zeros(80_000), 16_000)
    with pytest.raises(AudioSilent), open_audio(tmp_path / "silent.wav", in_memory_bytes=1000):
        pass


def test_nothing_is_left_on_the_disk(call: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with open_audio(call, in_memory_bytes=1000) as audio:
        # Without a name already while it is read, so that a killed process leaves nothing either
        assert list(tmp_path.iterdir()) == []
        assert len(audio.read(0)) > 100_000


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is always full")
def test_a_full_disk_says_what_to_do_and_passes(call: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "SpooledTemporaryFile", lambda **_: Path("/dev/full").open("w+b"))  # noqa: SIM115

    with pytest.raises(NoTemporarySpace) as named, open_audio(call):
        pass
    assert "TMPDIR" in named.value.hint
    # For a worker it is one of the things that pass: the stage is tried again, and no recording is blamed
    failure = failures.failure(failures.named(named.value))
    assert (failure.code, failure.counts) == (DiskFull.code, False)
    assert "TMPDIR" in failure.sentence
