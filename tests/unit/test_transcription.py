"""Recordings without a transcript are written down by a Whisper or CTC checkpoint, when one is named."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ml.alignment.aligner import Aligner, NotAligned, Piece, Placed
from ml.alignment.draft import Draft
from ml.alignment.options import AlignOptions
from ml.alignment.quality import NOT_TRANSCRIBED, TRANSCRIBED
from ml.alignment.recording import align_recording
from ml.alignment.types import Phone, Word
from ml.audio.reader import Audio
from ml.transcription import drafts as drafting
from ml.transcription import transcriber as transcribers
from ml.transcription.drafts import transcribe_drafts
from ml.transcription.transcriber import Heard, load
from ops.samples import ARCHIVE
from tests.unit.whisper_models import WINDOW_S, whisper_checkpoint

RATE = 16_000


@pytest.fixture(scope="module")
def whisper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Whisper checkpoint that writes noise, with times."""
    return whisper_checkpoint(tmp_path_factory.mktemp("whisper"))


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


NOBODY = Aligner("none", frozenset(), deaf, lambda: None)
OPTIONS = AlignOptions(transcriber="somewhere")


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
