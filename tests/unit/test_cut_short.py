"""A recording whose end is missing is told from one that is short."""

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ml.alignment.quality import noted
from ml.audio.claims import cut_short
from ml.audio.decode import SAMPLE_RATE, decode

SAMPLES = np.random.default_rng(0).normal(0, 0.1, 10 * SAMPLE_RATE).astype(np.float32)


def _missed(path: Path) -> str | None:
    return cut_short(path, decode(path).shape[1] / SAMPLE_RATE)


def _written(path: Path) -> Path:
    soundfile.write(path, SAMPLES, SAMPLE_RATE)
    return path


@pytest.mark.parametrize("name", ["call.wav", "call.flac", "call.aiff", "call.au", "CALL.WAV"])
def test_a_recording_whose_end_is_missing_says_how_much(tmp_path: Path, name: str) -> None:
    path = _written(tmp_path / name)
    assert _missed(path) is None

    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])
    said = _missed(path)
    assert said is not None
    assert said.startswith("the recording was cut off: its header says 10.0 s, the file ends at 3.")


def test_eight_bits_and_two_channels_are_counted_alike(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    soundfile.write(path, np.stack([SAMPLES, SAMPLES], axis=1), 8000, subtype="PCM_U8")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    assert "its header says 20.0 s, the file ends at 10.0 s" in (_missed(path) or "")


def test_a_few_missing_samples_are_not_worth_a_word(tmp_path: Path) -> None:
    path = _written(tmp_path / "call.wav")
    path.write_bytes(path.read_bytes()[: -SAMPLE_RATE // 2])

    assert _missed(path) is None


@pytest.mark.parametrize("size", [0, 0x7FFFFFFF, 0xFFFFFFFF, 0x7FFFF000])
def test_a_length_that_a_writer_could_not_fill_in_claims_nothing(tmp_path: Path, size: int) -> None:
    path = _written(tmp_path / "call.wav")
    content = bytearray(path.read_bytes())
    at = content.index(b"data") + 4
    content[at : at + 4] = struct.pack("<I", size)
    path.write_bytes(bytes(content))

    assert cut_short(path, 10.0) is None


def test_what_is_missing_is_said_beside_what_the_transcript_lacks() -> None:
    assert noted({}) is None
    assert noted({"cut_short": "the recording was cut off"}) == ("audio_cut_short", "the recording was cut off")
    both = {"transcript": "transcript_partly_read", "detail": "line 3 is odd", "cut_short": "the recording was cut off"}
    assert noted(both) == ("audio_cut_short", "the recording was cut off; line 3 is odd")
