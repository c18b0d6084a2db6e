"""Recordings without a transcript are written down by a Whisper or CTC checkpoint, when one is named."""

import difflib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from ml.alignment import recording
from ml.alignment.aligner import Aligner, NotAligned, Piece, Placed
from ml.alignment.draft import Draft
from ml.alignment.options import AlignOptions
from ml.alignment.quality import NOT_TRANSCRIBED, TRANSCRIBED
from ml.alignment.recording import align_recording
from ml.alignment.types import Phone, Word
from ml.audio.decode import decode
from ml.audio.reader import Audio
from ml.transcription import drafts as drafting
from ml.transcription import transcriber as transcribers
from ml.transcription.drafts import transcribe_drafts
from ml.transcription.transcriber import Heard, load
from ml.transcription.whisper import credible
from ops.samples import ARCHIVE
from tests.unit import ctc_models
from tests.unit.whisper_models import WINDOW_S, whisper_checkpoint

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


class Script:
    """A transcriber that hears what the test wants: the length of each piece, and that it is English."""

    max_s = 30.0

    def __init__(self, *, text: str = "good day", timed: bool = True, known: tuple[str, ...] = ("en", "ko")) -> None:
        self.text, self.timed, self.known = text, timed, known
        self.lengths: list[float] = []
        self.listened: list[float] = []
        self.language: str | None = "none asked"

    def knows(self, language: str) -> bool:
        return language in self.known

    def detect(self, waveforms: Sequence[NDArray[np.float32]]) -> str | None:
        self.listened = [len(wave) / RATE for wave in waveforms]
        return "ko"

    def transcribe(self, waveforms: Sequence[NDArray[np.float32]], language: str | None) -> list[Heard]:
        self.language = language
        self.lengths += [len(wave) / RATE for wave in waveforms]
        words = (Word("good", 0.1, 0.2, 0.5), Word("day", 0.2, 0.4, 0.5)) if self.timed and self.text else None
        return [Heard(self.text, words) for _ in waveforms]


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    """The transcriber that every name stands for."""
    found = Script()
    monkeypatch.setattr(drafting, "load", lambda name, device: found)
    return found


def silence(seconds: float = 100.0) -> Audio:
    """A recording of one channel."""
    return Audio.of(np.zeros((1, round(seconds * RATE)), np.float32))


def deaf(pieces: Sequence[Piece]) -> list[Placed | NotAligned]:
    return [NotAligned("in a test") for _ in pieces]


def alike(text: str, other: str) -> bool:
    """The same but for a letter in five: the checkpoint of the tests has learnt for ten seconds."""
    return difflib.SequenceMatcher(None, text, other).ratio() > 0.8


NOBODY = Aligner("none", frozenset(), deaf, lambda: None)
OPTIONS = AlignOptions(transcriber="somewhere")


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


# The flow


def test_without_a_transcriber_there_is_no_text_and_nothing_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcribers, "locate", lambda name: pytest.fail("a checkpoint was looked for"))
    alignment = align_recording(ARCHIVE / "appointment.ogg", None, AlignOptions())

    assert all(u.text is None and u.quality is None for u in alignment.utterances)
    assert "transcriber" not in alignment.quality


def test_a_recording_with_a_transcript_is_not_recognised(script: Script, tmp_path: Path) -> None:
    call = Path(shutil.copy(ARCHIVE / "bereavement.ogg", tmp_path / "call.ogg"))
    transcript = tmp_path / "call.txt"
    transcript.write_text("0.8 3.9 [Ruth] Good afternoon, this is Ruth. What can I do for you?\n")

    alignment = align_recording(call, transcript, OPTIONS)

    assert script.lengths == []
    assert {u.quality for u in alignment.utterances} == {None}


def test_an_unreadable_transcript_is_replaced_and_stays_the_more_important_note(script: Script, tmp_path: Path) -> None:
    broken = tmp_path / "call.txt"
    broken.write_bytes(b"\x00\x01\x02" * 50)

    alignment = align_recording(ARCHIVE / "appointment.ogg", broken, OPTIONS)

    assert {u.text for u in alignment.utterances} == {"good day"}
    assert {u.quality for u in alignment.utterances} == {"transcript_unreadable"}
    assert alignment.quality["transcript"] == "transcript_unreadable"


def test_words_come_at_the_recordings_time_and_text_says_where_it_is_from(script: Script) -> None:
    drafts, language = transcribe_drafts(silence(), [Draft(10.0, 12.0, 0), Draft(50.0, 53.0, 0)], OPTIONS, NOBODY)

    assert language == "ko"
    assert [(d.text, d.quality) for d in drafts] == [("good day", TRANSCRIBED)] * 2
    assert [(w.start_s, w.end_s) for w in drafts[1].words or ()] == [(50.1, 50.2), (50.2, 50.4)]


def test_nothing_heard_is_no_text(script: Script) -> None:
    script.text = ""
    drafts, _ = transcribe_drafts(silence(), [Draft(1.0, 2.0, 0)], OPTIONS, NOBODY)
    assert drafts == [Draft(1.0, 2.0, 0)]


def test_an_utterance_longer_than_the_window_is_heard_in_parts(script: Script) -> None:
    script.max_s = 4.0
    drafts, _ = transcribe_drafts(silence(), [Draft(10.0, 20.0, 0), Draft(30.0, 31.0, 0)], OPTIONS, NOBODY)

    assert sorted(round(s, 2) for s in script.lengths) == [1.0, 3.33, 3.33, 3.33]
    assert drafts[0].text == "good day good day good day"
    assert [w.start_s for w in drafts[0].words or ()][::2] == [10.1, 13.433, 16.767]


@pytest.mark.parametrize(
    ("options", "language"),
    [
        (AlignOptions(transcriber="x", language="en"), "en"),
        (AlignOptions(transcriber="x", language="en-GB"), "en"),
        (AlignOptions(transcriber="x", transcriber_language="ko"), "ko"),
        (AlignOptions(transcriber="x", language="en", transcriber_language="ko"), "en"),
    ],
)
def test_a_given_language_is_not_guessed(script: Script, options: AlignOptions, language: str) -> None:
    assert transcribe_drafts(silence(), [Draft(1.0, 2.0, 0)], options, NOBODY)[1] == language
    assert script.language == language
    assert script.listened == []


def test_the_language_is_heard_in_the_longest_utterances(script: Script) -> None:
    drafts = [Draft(5.0 * i, 5.0 * i + 0.2 * (i + 1), 0) for i in range(15)]
    transcribe_drafts(silence(), drafts, OPTIONS, NOBODY)
    assert [round(s, 1) for s in script.listened] == [3.0, 2.8, 2.6, 2.4, 2.2, 2.0, 1.8, 1.6]


def test_a_language_that_the_transcriber_does_not_know_is_said_and_not_tried(script: Script) -> None:
    options = AlignOptions(transcriber="x", language="pl")
    drafts, language = transcribe_drafts(silence(), [Draft(1.0, 2.0, 0)], options, NOBODY)

    assert script.lengths == [] and language is None
    assert [(d.text, d.quality) for d in drafts] == [(None, NOT_TRANSCRIBED)]


def test_the_language_of_a_checkpoint_that_cannot_tell_is_read_from_its_text(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(script, "detect", lambda waveforms: None)
    script.text = "안녕하세요 어떻게 도와 드릴까요"
    assert transcribe_drafts(silence(), [Draft(1.0, 4.0, 0)], OPTIONS, NOBODY)[1] == "ko"


def test_words_without_times_are_placed_by_the_jobs_aligner(script: Script) -> None:
    script.timed = False
    asked: list[Piece] = []

    def align(pieces: Sequence[Piece]) -> list[Placed | NotAligned]:
        asked.extend(pieces)
        placed = Placed((Word("good", 0.5, 0.7), Word("day", 0.7, 0.9)), (Phone("G", 0.5, 0.7),))
        return [placed, NotAligned("in a test")]

    korean = Aligner("k", frozenset({"ko"}), align, lambda: None)
    drafts, _ = transcribe_drafts(silence(), [Draft(10.0, 11.0, 0), Draft(20.0, 21.0, 0)], OPTIONS, korean)

    assert [(p.words, p.language, len(p.samples)) for p in asked] == [(("good", "day"), "ko", RATE)] * 2
    assert [(w.text, w.start_s) for w in drafts[0].words or ()] == [("good", 10.5), ("day", 10.7)]
    assert drafts[0].phones == (Phone("G", 10.5, 10.7),)
    assert (drafts[1].text, drafts[1].words, drafts[1].quality) == ("good day", None, TRANSCRIBED)


def test_words_that_the_checkpoint_times_are_left_as_they_are(script: Script) -> None:
    korean = Aligner("k", frozenset({"ko"}), lambda pieces: pytest.fail("aligned again"), lambda: None)
    drafts, _ = transcribe_drafts(silence(), [Draft(10.0, 11.0, 0)], OPTIONS, korean)
    assert drafts[0].words is not None


def test_a_checkpoint_is_loaded_once(whisper: Path) -> None:
    assert load(str(whisper)) is load(str(whisper))
    assert load.cache_info().maxsize == 1


def test_sound_is_read_a_part_at_a_time(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drafting, "TOGETHER", 2)
    calls: list[int] = []
    hear = script.transcribe
    monkeypatch.setattr(script, "transcribe", lambda waves, language: calls.append(len(waves)) or hear(waves, language))

    drafts = [Draft(3.0 * i, 3.0 * i + 1, 0) for i in range(5)]
    written, _ = transcribe_drafts(silence(), drafts, OPTIONS, NOBODY)

    assert calls == [2, 2, 1]
    assert [d.start_s for d in written] == [d.start_s for d in drafts]


def test_options_name_the_transcriber_so_that_alignments_are_not_mixed_up() -> None:
    plain, other = AlignOptions().identity(), OPTIONS.identity()
    assert plain != other and json.dumps(other)
    assert WINDOW_S < 30, "so that the tests are fast"
