"""Where speech is, in blocks of a recording of any length, and utterances cut from it."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ml.alignment.options import AlignOptions
from ml.alignment.recording import align_recording
from ml.audio import vad
from ml.audio.cutting import cut_long, padded
from ml.audio.decode import SAMPLE_RATE, decode
from ml.audio.errors import NoSpeech
from ml.audio.reader import open_audio
from ml.audio.vad import FRAME_S, find_speech, speech_segments
from ops.samples import ARCHIVE

CALL = ARCHIVE / "appointment.ogg"


@pytest.fixture(scope="module")
def samples() -> np.ndarray:
    """One channel of a sample call, 16 kHz."""
    return decode(CALL)[0]


def test_speech_is_found_in_a_call_and_not_in_a_tone(samples: np.ndarray) -> None:
    found = speech_segments(samples)
    assert 3 < sum(end - start for start, end in found) < len(samples) / SAMPLE_RATE
    assert found == speech_segments(samples), "the same audio gives the same segments"
    tone = 0.4 * np.sin(2 * np.pi * 440 * np.arange(3 * SAMPLE_RATE) / SAMPLE_RATE)
    assert speech_segments(tone.astype(np.float32)) == []


def test_a_quiet_line_is_heard_as_well_as_a_loud_one(samples: np.ndarray) -> None:
    loud, quiet = speech_segments(samples), speech_segments(samples * np.float32(0.05))
    assert len(loud) == len(quiet)
    np.testing.assert_allclose(loud, quiet, atol=3 * FRAME_S)


def test_blocks_of_any_size_give_what_the_whole_gives(
    tmp_path: Path, samples: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    soundfile.write(tmp_path / "call.wav", samples, SAMPLE_RATE, subtype="FLOAT")
    whole = speech_segments(samples)
    monkeypatch.setattr(vad, "BLOCK_FRAMES", 7)

    with open_audio(tmp_path / "call.wav", in_memory_bytes=1000) as audio:
        speech = find_speech(audio, 0)

    assert list(speech.segments) == whole
    assert len(speech.levels) == -(-len(samples) // vad.FRAME)


def test_what_is_found_is_what_the_package_finds(samples: np.ndarray) -> None:
    import torch
    from silero_vad import get_speech_timestamps, load_silero_vad

    # At the level where nothing is amplified, so that the package hears the same samples
    loud = samples * np.float32(vad.LOUD / np.quantile(np.abs(samples), vad.LOUD_QUANTILE))
    scaled = loud * np.float32(vad._gain([loud])[0])
    theirs = get_speech_timestamps(
        torch.from_numpy(np.clip(scaled, -1, 1)),
        load_silero_vad(),
        threshold=0.5,
        neg_threshold=0.15,
        min_speech_duration_ms=vad.MIN_SPEECH_MS,
        min_silence_duration_ms=vad.MIN_PAUSE_MS,
        speech_pad_ms=0,
    )
    assert theirs
    assert speech_segments(loud) == [(item["start"] / SAMPLE_RATE, item["end"] / SAMPLE_RATE) for item in theirs]


def test_a_signal_without_speech_is_named(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "noise.wav", np.random.default_rng(1).normal(0, 0.05, 48_000), SAMPLE_RATE)
    with pytest.raises(NoSpeech) as named:
        align_recording(tmp_path / "noise.wav", None, AlignOptions())
    assert named.value.code == "no_speech" and named.value.hint


def test_speech_gets_room_on_either_side_but_never_overlaps() -> None:
    room = padded([(0.05, 1.0), (1.1, 2.0), (5.0, 6.0), (7.0, 7.95)], 8.0)
    assert room[0] == pytest.approx((0.0, 1.05))
    assert room[1] == pytest.approx((1.05, 2.15))
    assert room[2] == pytest.approx((4.85, 6.15))
    assert room[3] == pytest.approx((6.85, 8.0))


def test_long_speech_is_cut_where_it_is_quietest() -> None:
    levels = np.full(int(60 / FRAME_S), -20, np.float32)
    quiet = (11.0, 22.5)
    for at in quiet:
        levels[int(at / FRAME_S) - 2 : int(at / FRAME_S) + 3] = -50

    pieces = cut_long((2.0, 33.0), 15.0, levels)

    assert [end for _, end in pieces[:-1]] == pytest.approx(quiet, abs=2 * FRAME_S)


@pytest.mark.parametrize("end_s", [14.9, 15.1, 22.0, 30.1, 47.3, 59.9])
def test_no_piece_is_too_long_or_a_snippet_and_nothing_is_lost(end_s: float) -> None:
    levels = np.random.default_rng(2).normal(-30, 5, int(61 / FRAME_S)).astype(np.float32)
    pieces = cut_long((0.1, end_s), 15.0, levels)
    assert pieces[0][0] == 0.1 and pieces[-1][1] == end_s
    assert all(before[1] == after[0] for before, after in itertools.pairwise(pieces))
    assert all(end - start <= 15.0 + 1e-9 for start, end in pieces)
    assert len(pieces) == 1 or min(end - start for start, end in pieces) >= 4.99
