"""The acted corpora behind the speech model: labels, speakers, and no guess about what is not there."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ml.corpora.nemo import nemo
from ml.corpora.ravdess import ravdess
from ml.corpora.types import CorpusMissing, LabelledUtterance, LabelUnknown, Skipped
from ml.emotions import EMOTIONS
from ml.training.speech_data import DEV_SPEAKERS, TEST_SPEAKERS, Noise, load_clips, trim, unlabelled, vary

Reader = Callable[[Path], Iterator[LabelledUtterance]]


def tone(seconds: float, *, rate: int = 16_000) -> np.ndarray:
    """A quiet-free tone [n]."""
    return (0.3 * np.sin(2 * np.pi * 220 * np.arange(int(seconds * rate)) / rate)).astype(np.float32)


def test_ravdess_labels_come_from_the_third_field_and_calm_is_neutral(tmp_path: Path) -> None:
    for emotion in range(1, 9):
        path = tmp_path / "Actor_17" / f"03-01-{emotion:02d}-01-02-01-17.flac"
        path.parent.mkdir(exist_ok=True)
        path.touch()

    found = list(ravdess(tmp_path))

    expected = ["neutral", "neutral", "happy", "sad", "angry", "fear", "disgust", "surprise"]
    assert [item.label for item in found] == expected
    assert {(item.speaker, item.language, item.text) for item in found} == {
        ("ravdess-17", "en", "Dogs are sitting by the door")
    }


def test_ravdess_songs_and_videos_are_left_out_and_counted(tmp_path: Path) -> None:
    names = ("03-01-05-01-01-01-01.wav", "03-02-05-01-01-01-01.wav", "03-01-05-01-01-01-01.mp4")
    for name in names:
        (tmp_path / name).touch()
    skipped = Skipped()

    assert [item.item_id for item in ravdess(tmp_path, skipped)] == ["03-01-05-01-01-01-01"]
    assert skipped.counts == {"song, or with a picture": 2}


def test_an_emotion_that_ravdess_does_not_have_is_named_with_its_file(tmp_path: Path) -> None:
    (tmp_path / "03-01-09-01-01-01-01.wav").touch()

    with pytest.raises(LabelUnknown, match=r"03-01-09-01-01-01-01\.wav: “09”"):
        list(ravdess(tmp_path))


def test_nemo_gives_the_rows_whose_audio_is_there(tmp_path: Path) -> None:
    (tmp_path / "samples").mkdir()
    (tmp_path / "samples" / "a.ogg").touch()
    (tmp_path / "samples" / "b.wav").touch()
    rows = ["a.wav\tanger\tTekst\tSK1", "b.wav\tsurprised\tTekst\tSK2", "kept_aside.wav\tfear\tTekst\tSK3"]
    (tmp_path / "data.tsv").write_text("file_id\temotion\traw_text\tspeaker_id\n" + "\n".join(rows), encoding="utf-8")

    found = [(item.item_id, item.label, item.speaker, item.language) for item in nemo(tmp_path)]

    assert found == [("a", "angry", "nemo-SK1", "pl"), ("b", "surprise", "nemo-SK2", "pl")]


@pytest.mark.parametrize("reader", [ravdess, nemo])
def test_a_folder_that_is_no_speech_corpus_is_named(reader: Reader, tmp_path: Path) -> None:
    with pytest.raises(CorpusMissing, match=str(tmp_path)):
        list(reader(tmp_path))


def test_nobody_is_both_developed_on_and_tested_on() -> None:
    assert not DEV_SPEAKERS & TEST_SPEAKERS


def test_silence_around_speech_is_cut_to_the_margin() -> None:
    silence = np.zeros(16_000, dtype=np.float32)

    cut = trim(np.concatenate([silence, tone(0.5), silence]), margin_s=0.1)

    # Half a second of tone and a tenth on both sides, to the 10 ms grid.
    assert len(cut) == pytest.approx(0.7 * 16_000, abs=320)


def test_clips_are_numbered_in_the_houses_order_and_another_rate_is_refused(tmp_path: Path) -> None:
    right, wrong = tmp_path / "right.wav", tmp_path / "wrong.wav"
    soundfile.write(right, tone(0.3), 16_000)
    soundfile.write(wrong, tone(0.3, rate=8_000), 8_000)

    (clip,) = load_clips([LabelledUtterance("c", "right", "s", "sad", "en", audio_path=right)])

    assert EMOTIONS[clip.label] == "sad"
    with pytest.raises(ValueError, match=r"wrong\.wav must be 16 kHz mono"):
        load_clips([LabelledUtterance("c", "wrong", "s", "sad", "en", audio_path=wrong)])


def test_a_varied_clip_is_finite_follows_its_seed_and_says_how_much_higher_it_is() -> None:
    original, noise = tone(1.0), Noise()

    (first, octaves), (again, _) = (vary(original, np.random.default_rng(3), noise) for _ in range(2))
    other, _ = vary(original, np.random.default_rng(4), noise)

    np.testing.assert_array_equal(first, again)
    assert first.dtype == np.float32
    assert np.isfinite(first).all()
    assert len(first) == pytest.approx(len(original) / 2**octaves, abs=1)
    loudest = np.abs(np.fft.rfft(first)).argmax() / len(first) * 16_000
    assert loudest == pytest.approx(220 * 2**octaves, rel=0.01)
    assert first.shape != other.shape or not np.allclose(first, other)


def test_unlabelled_speech_is_named_by_its_path_and_what_cannot_be_used_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    soundfile.write(tmp_path / "a" / "long.wav", tone(1.0), 16_000)
    soundfile.write(tmp_path / "a" / "other_rate.wav", tone(1.0, rate=8_000), 8_000)
    soundfile.write(tmp_path / "stereo.wav", np.stack([tone(1.0)] * 2, axis=1), 16_000)
    soundfile.write(tmp_path / "short.wav", tone(0.2), 16_000)

    assert [(name, len(samples)) for name, samples in unlabelled(tmp_path)] == [("a/long.wav", 16_000)]
