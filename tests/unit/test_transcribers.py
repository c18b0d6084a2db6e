"""CTC and Whisper checkpoints write down what is said, whatever else is in the batch."""

import difflib
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from ml.alignment import recording
from ml.alignment.draft import Draft
from ml.alignment.options import AlignOptions
from ml.alignment.quality import TRANSCRIBED
from ml.alignment.recording import align_recording
from ml.audio.decode import decode
from ml.transcription.transcriber import Heard, load
from ml.transcription.whisper import credible
from ops.samples import ARCHIVE
from tests.unit import ctc_models
from tests.unit.whisper_models import whisper_checkpoint

RATE = 16_000
ALPHABET = "abcde"


@pytest.fixture(scope="module")
def ears(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CTC checkpoint that really hears: whistled letters."""
    return ctc_models.hearing_checkpoint(tmp_path_factory.mktemp("ctc"), ALPHABET)


@pytest.fixture(scope="module")
def whisper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Whisper checkpoint that writes noise, with times."""
    return whisper_checkpoint(tmp_path_factory.mktemp("whisper"))


@pytest.fixture(scope="module")
def pieces() -> list[NDArray[np.float32]]:
    """Pieces of a call, of different lengths."""
    samples = decode(ARCHIVE / "bereavement.ogg").mean(axis=0)
    spans = ((1.2, 2.3), (5.0, 8.2), (9.4, 9.9), (13.5, 17.0), (20.5, 22.4), (24.0, 27.9))
    return [samples[round(a * RATE) : round(b * RATE)] for a, b in spans]


def alike(text: str, other: str) -> bool:
    """The same but for a letter in five: the checkpoint of the tests has learnt for ten seconds."""
    return difflib.SequenceMatcher(None, text, other).ratio() > 0.8


# CTC


def test_a_ctc_checkpoint_writes_what_is_said_and_when(ears: Path) -> None:
    said = ctc_models.whistle(["bad", "ace", "cab"], ALPHABET, seed=4)

    (heard,) = load(str(ears)).transcribe([said.samples], None)

    assert alike(heard.text, "bad ace cab")
    assert heard.words is not None and " ".join(word.text for word in heard.words) == heard.text
    for word, (start, end) in zip(heard.words, said.words, strict=True):
        assert abs(word.start_s - start) < 0.06 and abs(word.end_s - end) < 0.06
        assert word.confidence is not None and 0.5 < word.confidence <= 1


@pytest.mark.parametrize("norm", ["layer", "group"])
def test_ctc_hears_the_same_whatever_a_piece_is_batched_with(
    norm: str, tmp_path: Path, pieces: list[NDArray[np.float32]]
) -> None:
    transcriber = load(str(ctc_models.random_checkpoint(tmp_path, norm=norm)))
    together = transcriber.transcribe(pieces, None)

    assert [transcriber.transcribe([piece], None)[0].text for piece in pieces] == [heard.text for heard in together]
    assert len({heard.text for heard in together}) > 1


def test_an_alphabet_of_capitals_does_not_shout(tmp_path: Path, pieces: list[NDArray[np.float32]]) -> None:
    transcriber = load(str(ctc_models.random_checkpoint(tmp_path, "ABCDEFGHIJ")))
    assert all(heard.text == heard.text.lower() != "" for heard in transcriber.transcribe(pieces[:2], None))


def test_ctc_hears_nothing_in_less_than_a_frame(ears: Path) -> None:
    assert load(str(ears)).transcribe([np.zeros(100, np.float32), np.zeros(0, np.float32)], None) == [Heard(), Heard()]


def test_a_recording_is_written_down_from_end_to_end(
    ears: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = ctc_models.whistle(["bad", "ace"], ALPHABET, seed=4)
    soundfile.write(tmp_path / "call.wav", said.samples, RATE)
    drafts = [Draft(0.0, len(said.samples) / RATE, 0)]
    monkeypatch.setattr(recording, "from_voice_activity", lambda *_: drafts)

    alignment = align_recording(tmp_path / "call.wav", None, AlignOptions(transcriber=str(ears), language="pl"))

    (utterance,) = alignment.utterances
    assert utterance.text is not None and alike(utterance.text, "bad ace")
    assert (utterance.language, utterance.quality) == ("pl", TRANSCRIBED)
    assert utterance.words is not None and len(utterance.words) == 2
    assert abs(utterance.words[1].start_s - said.words[1][0]) < 0.06
    assert (alignment.language, alignment.quality["transcriber"]) == ("pl", str(ears))


# Whisper


def test_whisper_writes_words_with_times_in_order_inside_the_piece(
    whisper: Path, pieces: list[NDArray[np.float32]]
) -> None:
    heard = load(str(whisper)).transcribe(pieces, "en")

    assert any(h.words for h in heard)
    for piece, h in zip(pieces, heard, strict=True):
        times = [t for word in h.words or () for t in (word.start_s, word.end_s)]
        assert times == sorted(times)
        assert all(0 <= t <= len(piece) / RATE + 0.001 for t in times)
        assert "".join(w.text for w in h.words or ()) == h.text.replace(" ", "")


def test_whisper_hears_the_same_whatever_a_piece_is_batched_with(
    whisper: Path, pieces: list[NDArray[np.float32]], monkeypatch: pytest.MonkeyPatch
) -> None:
    transcriber = load(str(whisper))
    together = transcriber.transcribe(pieces, "en")
    monkeypatch.setattr("ml.transcription.whisper.TOGETHER", {"cpu": 1, "cuda": 1})

    assert transcriber.transcribe(pieces, "en") == together
    assert len({heard.text for heard in together}) > 1


def test_whisper_writes_in_the_language_it_is_told(whisper: Path, pieces: list[NDArray[np.float32]]) -> None:
    transcriber = load(str(whisper))
    assert transcriber.knows("ko") and not transcriber.knows("fr")
    assert transcriber.transcribe(pieces, "en") != transcriber.transcribe(pieces, "ko")


def test_the_language_is_the_likeliest_over_all_pieces_by_length(
    whisper: Path, pieces: list[NDArray[np.float32]]
) -> None:
    transcriber = load(str(whisper))
    found = transcriber.detect(pieces)

    assert transcriber.knows(str(found))
    assert transcriber.detect([*pieces[:1], *pieces[1:] * 4]) is not None
    assert transcriber.detect([]) is None


def test_an_english_whisper_needs_no_language_token(tmp_path: Path, pieces: list[NDArray[np.float32]]) -> None:
    transcriber = load(str(whisper_checkpoint(tmp_path, languages=())))

    assert transcriber.detect(pieces) == "en"
    assert transcriber.knows("en") and not transcriber.knows("ko")
    assert any(heard.text for heard in transcriber.transcribe(pieces, "en"))


def test_without_alignment_heads_whisper_does_not_guess_times(
    tmp_path: Path, whisper: Path, pieces: list[NDArray[np.float32]]
) -> None:
    transcriber = load(str(whisper_checkpoint(tmp_path, heads=False)))
    heard = transcriber.transcribe(pieces, "en")

    assert all(h.words is None for h in heard)
    assert [h.text for h in heard] == [h.text for h in load(str(whisper)).transcribe(pieces, "en")]


def test_hearing_leaves_the_fast_attention_in_place(whisper: Path, pieces: list[NDArray[np.float32]]) -> None:
    transcriber = load(str(whisper))
    before = transcriber._model.config._attn_implementation  # type: ignore[attr-defined]
    transcriber.transcribe(pieces[:1], "en")
    assert transcriber._model.config._attn_implementation == before  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "mean_log_probability", "no_speech", "said"),
    [
        ("Thank you, we were married for forty years.", -0.3, 0.1, True),
        ("Thank you.", -1.5, 0.9, False),
        ("Thank you.", -0.5, 0.9, True),
        ("Thank you.", -1.5, 0.2, True),
        ("I said no. " * 20, -0.1, 0.0, False),
        ("", -0.1, 0.0, False),
    ],
)
def test_text_that_nobody_said_is_dropped(text: str, mean_log_probability: float, no_speech: float, said: bool) -> None:
    assert credible(text, mean_log_probability, no_speech) is said
