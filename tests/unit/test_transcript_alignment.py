"""From transcripts to utterances: given times are kept, texts are searched, cut and shared; languages."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ml.alignment import recording, timed, untimed
from ml.alignment.aligner import Aligner, NotAligned, Placed
from ml.alignment.draft import Draft
from ml.alignment.language import choose_language
from ml.alignment.options import AlignOptions
from ml.alignment.recording import align_recording
from ml.alignment.splitting import cut, share, split
from ml.alignment.timed import from_timed_turns
from ml.alignment.types import Phone, Word
from ml.alignment.untimed import from_plain_text, shared_out
from ml.audio.reader import Audio
from ml.audio.vad import Speech
from ml.transcripts import Said, Turn
from tests.unit.scripted_aligner import RATE, Script


def audio_of(script: Script, channels: int = 1) -> Audio:
    return sound(np.stack([script.read(0, 1e6)] * channels))


def sound(samples: np.ndarray) -> Audio:
    """Samples [channels, n] as a recording."""
    width, length = samples.shape
    stored = BytesIO(np.ascontiguousarray(samples.T, np.float32).tobytes())
    return Audio(stored, width, length, (None,) if width == 1 else tuple(range(width)))


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    """Speech whose segments voice activity knows."""
    made = Script()
    monkeypatch.setattr(untimed, "find_speech", lambda audio, channel: Speech(tuple(made.segments), np.zeros(0)))
    monkeypatch.setattr(timed, "speech_segments", lambda samples: made.segments)
    return made


def never(pieces: Sequence[object]) -> list[Placed | NotAligned]:
    raise AssertionError("nothing was to be aligned")


NEVER = Aligner("never", None, never, lambda: None)


def timed_turn(words: Sequence[str], said: Sequence[tuple[str, float, float]], **changes: object) -> Turn:
    times = {word: (start, end) for word, start, end in said}
    return Turn(" ".join(words), times[words[0]][0], times[words[-1]][1], **changes)  # type: ignore[arg-type]


def test_words_and_phones_that_the_transcript_times_stay_as_they_are() -> None:
    audio = sound(np.zeros((1, 5 * RATE)))
    words = (Said("Hello,", 1.0, 1.4, 0.7), Said("you", 1.4, 1.9))
    turn = Turn("Hello, you", 1.0, 2.0, words=words, phones=(Said("HH", 1.0, 1.1),))
    drafts, note = from_timed_turns(audio, [turn], NEVER, "en", 15.0)
    assert note is None and drafts is not None
    assert drafts[0].words == (Word("Hello,", 1.0, 1.4, 0.7), Word("you", 1.4, 1.9))
    assert drafts[0].phones == (Phone("HH", 1.0, 1.1),)


def test_the_alignment_says_whose_times_it_has() -> None:
    given = Turn("a", 0.0, 1.0, words=(Said("a", 0.0, 1.0),))
    open_one = Turn("b", 1.0, 2.0)
    assert recording._aligned_by([given], NEVER) == "provided"
    assert recording._aligned_by([given, open_one], NEVER) == "mixed"
    assert recording._aligned_by([open_one], NEVER) == "never"
    assert recording._aligned_by([], NEVER) == "never"


def test_most_words_wrong_is_a_wrong_transcript_and_one_wrong_turn_is_flagged(script: Script) -> None:
    sentences = [[f"w{s}x{i}" for i in range(6)] for s in range(4)]
    for sentence in sentences:
        script.say(sentence)
    turns = [timed_turn(sentence, script.said) for sentence in sentences]
    wrong = [Turn("un deux trois quatre cinq six", turn.start_s, turn.end_s) for turn in turns]

    drafts, note = from_timed_turns(audio_of(script), [*turns[:3], wrong[3]], script.aligner, "en", 15.0)
    assert note is None and drafts is not None
    assert [draft.quality for draft in drafts] == [None, None, None, "words_not_aligned"]
    assert drafts[3].text and drafts[3].words is None

    assert from_timed_turns(audio_of(script), wrong, script.aligner, "en", 15.0) == (None, "transcript_mismatch")


def test_a_turn_keeps_its_rough_times_and_its_words_are_where_they_are_heard_at_most_a_margin_outside(
    script: Script,
) -> None:
    words = [f"w{i}" for i in range(6)]
    script.rest(1.0)
    script.say(words)
    heard = [(start, end) for _, start, end in script.said]
    rough = Turn(" ".join(words), heard[0][0] + 0.1, heard[-1][1] - 0.1)

    drafts, _ = from_timed_turns(audio_of(script), [rough], script.aligner, "en", 15.0)

    assert drafts is not None and drafts[0].words is not None
    assert (drafts[0].start_s, drafts[0].end_s) == (rough.start_s, rough.end_s)
    assert [(w.start_s, w.end_s) for w in drafts[0].words] == [pytest.approx(times, abs=0.02) for times in heard]
    assert drafts[0].words[0].start_s >= drafts[0].start_s - timed.MARGIN_S
    assert drafts[0].words[-1].end_s <= drafts[0].end_s + timed.MARGIN_S


def test_turns_without_text_count_where_there_is_any_signal() -> None:
    samples = np.zeros((1, 4 * RATE), np.float32)
    samples[0, RATE : 2 * RATE] = 0.002
    turns = [Turn("", 0.2, 0.6, "Ann"), Turn("", 1.2, 1.4, "Ben")]

    drafts, _ = from_timed_turns(sound(samples), turns, NEVER, "en", 15.0)

    assert drafts == [Draft(1.2, 1.4, 0, "Ben")]
    assert from_timed_turns(sound(samples), turns[:1], NEVER, "en", 15.0) == (None, "transcript_mismatch")


def test_where_nothing_is_heard_the_times_of_a_transcript_count_and_its_words_do_not(
    script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a hiss in which neither speech nor the words are found, silence, and turns in both
    hiss = np.random.default_rng(1).normal(0, 0.05, 2 * RATE)
    soundfile.write(tmp_path / "call.wav", np.concatenate([hiss, np.zeros(2 * RATE)]), RATE)
    (tmp_path / "call.txt").write_text("0.5 0.9 [Ann] so be it\n1.0 1.5 [Ben] never\n2.5 3.0 [Ann] at all\n")
    monkeypatch.setattr(recording, "find_aligner", lambda *_: script.aligner)

    found = align_recording(tmp_path / "call.wav", tmp_path / "call.txt", AlignOptions(language="en"))

    assert [(u.speaker, u.start_s, u.end_s, u.text, u.quality) for u in found.utterances] == [
        ("Ann", 0.5, 0.9, None, "speech_not_heard"),
        ("Ben", 1.0, 1.5, None, "speech_not_heard"),
    ]
    assert found.quality["transcript"] == "transcript_mismatch"


def test_a_long_turn_is_searched_in_pieces_and_cut_at_pauses(script: Script) -> None:
    sentences = [[f"w{s}x{i}" for i in range(8)] for s in range(40)]
    for sentence in sentences:
        script.say(sentence)
    words = [word for sentence in sentences for word in sentence]
    turn = Turn(". ".join(" ".join(s) for s in sentences) + ".", 0.0, script.segments[-1][1])
    drafts, _ = from_timed_turns(audio_of(script), [turn], script.aligner, "en", 10.0)
    assert drafts is not None
    assert [word.text for draft in drafts for word in draft.words or ()] == words
    assert max(draft.end_s - draft.start_s for draft in drafts) <= 10.0
    assert " ".join(draft.text or "" for draft in drafts) == turn.text
    assert max(seconds for _, seconds in script.pieces) < 60


def test_plain_text_becomes_utterances_at_sentence_ends_with_their_punctuation(script: Script) -> None:
    for words in (["one", "two"], ["three", "four", "five"]):
        script.say(words, pause_s=0.3)
    turns = [Turn("One?".lower() + " two! (three four) five.")]
    drafts, note = from_plain_text(audio_of(script), turns, script.aligner, "en", 15.0)
    assert note is None and drafts is not None
    assert [draft.text for draft in drafts] == ["one? two!", "(three four) five."]


def test_a_change_of_speaker_ends_an_utterance(script: Script) -> None:
    script.say(["one", "two", "three", "four"])
    turns = [Turn("one two", speaker="Ann"), Turn("three four", speaker="Bob")]
    drafts, _ = from_plain_text(audio_of(script, channels=2), turns, script.aligner, "en", 15.0)
    assert drafts is not None
    assert [(draft.speaker, draft.text) for draft in drafts] == [("Ann", "one two"), ("Bob", "three four")]


def test_speech_without_text_is_an_utterance_of_its_own(script: Script) -> None:
    sentences = [[f"w{s}x{i}" for i in range(8)] for s in range(12)]
    for sentence in sentences[:6]:
        script.say(sentence)
    script.say([f"o{i}" for i in range(10)])
    for sentence in sentences[6:]:
        script.say(sentence)
    turns = [Turn(" ".join(sentence) + ".") for sentence in sentences]
    drafts, _ = from_plain_text(audio_of(script), turns, script.aligner, "en", 15.0)
    assert drafts is not None
    (silent,) = [draft for draft in drafts if draft.quality == "speech_not_in_transcript"]
    assert silent.text is None and abs(silent.start_s - script.segments[6][0]) < 0.5
    assert sum(len(draft.words or ()) for draft in drafts) == 96


def test_another_recordings_plain_text_is_a_wrong_transcript(script: Script) -> None:
    script.say([f"w{i}" for i in range(30)])
    turns = [Turn(" ".join(f"v{i}" for i in range(30)))]
    assert from_plain_text(audio_of(script), turns, script.aligner, "en", 15.0) == (None, "transcript_mismatch")


def test_without_an_aligner_one_utterance_has_the_whole_text() -> None:
    (draft,) = shared_out([Draft(0.0, 9.0, 0)], [Turn("Dzień dobry. Jak się masz?")])
    assert draft.text == "Dzień dobry. Jak się masz?" and draft.quality == "language_not_aligned"


def test_without_an_aligner_text_is_shared_by_length_at_sentence_ends_and_speakers_stay() -> None:
    drafts = [Draft(4.0, 8.2, 0), Draft(0.0, 4.0, 0)]
    turns = [Turn("Dzień dobry, proszę pana.", speaker="A"), Turn("Jak się dzisiaj czujesz?", speaker="B")]
    shared = shared_out(drafts, turns)
    assert [(d.start_s, d.speaker, d.text) for d in shared] == [
        (0.0, "A", "Dzień dobry, proszę pana."), (4.0, "B", "Jak się dzisiaj czujesz?")
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "one two three four five six seven",
        "데이터, 모델, 테스트 및 끝점같은 콘텐츠는 구성됩니다.",
        "今日は良い天気ですね。明日も晴れるでしょう。",
        "ok",
    ],
)
def test_sharing_a_text_loses_nothing(text: str) -> None:
    for durations in ([1.0], [1.0, 5.0], [2.0, 2.0, 2.0]):
        parts = share(text, durations)
        assert len(parts) == len(durations)
        assert "".join("".join(parts).split()) == "".join(text.split())


def test_a_script_without_blanks_is_shared_between_characters() -> None:
    parts = share("今日は良い天気ですね明日も晴れるでしょう", [1.0, 1.0])
    assert abs(len(parts[0]) - len(parts[1])) <= 2


def test_words_are_cut_at_the_longest_pause_near_the_middle() -> None:
    words = [Word(f"w{i}", i + (0.4 if i >= 4 else 0), i + 0.9 + (0.4 if i >= 4 else 0)) for i in range(10)]
    assert split(words, 8.0) == [0, 4]
    assert split(words, 100.0) == [0]


def test_an_utterance_without_word_times_is_cut_evenly_with_its_text() -> None:
    parts = cut(Draft(0.0, 30.0, 0, text="a b c d e f", quality="words_not_aligned"), 15.0)
    assert [(part.start_s, part.end_s, part.text) for part in parts] == [(0.0, 15.0, "a b c"), (15.0, 30.0, "d e f")]


def test_the_language_is_the_jobs_else_the_transcripts_else_the_texts() -> None:
    korean = [Turn("안녕하세요. 만나서 반갑습니다.")]
    assert choose_language("pl", "ko", korean) == "pl"
    assert choose_language("auto", "de", korean) == "de"
    assert choose_language("auto", None, korean) == "ko"
    assert choose_language("auto", None, [Turn("42")]) == "en"
