"""Who speaks when, on sample calls whose two voices are mixed into one channel."""

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ml.alignment import diarization, speakers
from ml.alignment.assign import assign_speakers
from ml.alignment.diarization import diarize
from ml.alignment.draft import Draft
from ml.alignment.measures import Spoken, diarization_error
from ml.alignment.registry import find_aligner
from ml.alignment.timed import from_timed_turns
from ml.alignment.untranscribed import from_voice_activity
from ml.audio.decode import SAMPLE_RATE, decode
from ml.audio.reader import Audio, open_audio
from ml.features.speaker import SIZE
from ml.transcripts import Turn, read_transcript
from ops.samples import ARCHIVE

CALL = ARCHIVE / "meal-delivery.ogg"


@pytest.fixture(scope="module")
def turns() -> list[Spoken]:
    """Who speaks when in the call."""
    read = read_transcript(CALL.with_suffix(".txt")).turns
    return [Spoken(turn.start_s or 0.0, turn.end_s or 0.0, turn.speaker or "") for turn in read]


@pytest.fixture(scope="module")
def call(turns: list[Spoken]) -> Iterator[Audio]:
    """The call in one channel."""
    with open_audio(CALL, "mix") as audio:
        yield audio


@pytest.fixture(scope="module")
def found(call: Audio) -> list[Draft]:
    """The utterances of the call, as nobody has transcribed it."""
    return from_voice_activity(call, 4.0, None, None)


def error_rate(turns: list[Spoken], drafts: list[Draft]) -> float:
    found = [Spoken(draft.start_s, draft.end_s, str(draft.voice)) for draft in drafts]
    return diarization_error(turns, found, collar_s=0.25).rate


def test_two_voices_in_one_channel_are_told_apart(turns: list[Spoken], found: list[Draft]) -> None:
    assert {draft.voice for draft in found} == {0, 1}
    assert error_rate(turns, found) < 0.15
    assert error_rate(turns, [replace(draft, voice=0) for draft in found]) > 0.3, "one voice would not do"


def test_utterances_end_where_the_voice_changes_and_are_not_too_long(found: list[Draft]) -> None:
    assert all(0 < draft.end_s - draft.start_s <= 4.0 + 1e-9 for draft in found)
    starts = [draft.start_s for draft in found]
    assert starts == sorted(starts)
    assert all(one.end_s <= other.start_s + 1e-9 for one, other in itertools.pairwise(found))


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_given_number_of_speakers_is_found(call: Audio, count: int) -> None:
    voices = {draft.voice for draft in from_voice_activity(call, 15.0, None, count)}
    assert voices == set(range(count))


def test_one_voice_is_not_taken_for_several(tmp_path: Path, turns: list[Spoken]) -> None:
    # The turns of one party, from a channel of its own
    samples = decode(CALL)
    first = turns[0].speaker
    own = [samples[0, round(t.start_s * SAMPLE_RATE) : round(t.end_s * SAMPLE_RATE)] for t in turns]
    alone = np.concatenate([wave for wave, turn in zip(own, turns, strict=True) if turn.speaker == first])
    soundfile.write(tmp_path / "one.wav", alone, SAMPLE_RATE)
    with open_audio(tmp_path / "one.wav") as audio:
        assert {draft.voice for draft in from_voice_activity(audio, 15.0, None, None)} == {0}


def test_a_sample_of_the_windows_gives_the_voices_of_all(
    call: Audio, turns: list[Spoken], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diarization, "MAX_CLUSTERED", 50)
    assert error_rate(turns, from_voice_activity(call, 15.0, None, None)) < 0.15


def test_segments_cover_the_speech_they_were_asked_about_and_nothing_else(call: Audio) -> None:
    speech = [(0.0, 0.1), (1.0, 3.5), (3.5, 9.0), (10.0, call.duration_s)]
    segments = diarize(call, speech)
    assert segments[0].voice == 0, "voices count by first appearance"
    for start, end in speech:
        own = [s for s in segments if start <= s.start_s < end]
        assert own[0].start_s == start and own[-1].end_s == pytest.approx(end)
        assert all(one.end_s == other.start_s for one, other in itertools.pairwise(own))
    assert diarize(call, []) == []


def test_windows_embedded_together_are_embedded_as_one_by_one(call: Audio) -> None:
    windows = np.stack([call.read(0, at, at + 1.6) for at in (1.0, 2.0, 5.5)])
    together = speakers.embed_windows(windows)
    for window, embedding in zip(windows, together, strict=True):
        level = window * np.sqrt(1e-3 / np.square(window).mean())
        theirs = speakers.voice_encoder().embed_utterance(level.astype(np.float32))
        assert float(theirs @ embedding) > 0.99, "but for the edges of a window, which the package pads"
        np.testing.assert_allclose(speakers.embed_windows(window[None] * np.float32(0.2))[0], embedding, atol=1e-4)


def test_turns_without_a_name_get_the_voice_that_is_heard_in_them(call: Audio, turns: list[Spoken]) -> None:
    _, utterances = assign_speakers(call, [Draft(t.start_s, t.end_s, 0) for t in turns], None)
    named = [Spoken(u.start_s, u.end_s, u.speaker) for u in utterances]
    assert {u.speaker for u in utterances} == {"speaker 1", "speaker 2"}
    assert diarization_error(turns, named).confusion_s < 0.1 * sum(t.end_s - t.start_s for t in turns)


def test_a_turn_too_short_to_hear_anything_in_gets_a_voice_all_the_same(call: Audio) -> None:
    _, utterances = assign_speakers(call, [Draft(1.0, 4.0, 0), Draft(5.0, 5.0, 0)], 1)
    assert [u.speaker for u in utterances] == ["speaker 1", "speaker 1"]


def test_a_name_stays_beside_voices_without_one(call: Audio, turns: list[Spoken]) -> None:
    drafts = [Draft(t.start_s, t.end_s, 0, "Ruth" if t.speaker == turns[0].speaker else None) for t in turns]
    found, utterances = assign_speakers(call, drafts, 1)
    assert [u.speaker for u in utterances] == [draft.speaker or "speaker 1" for draft in drafts]
    assert (found["Ruth"].named, found["speaker 1"].named) == (True, False)
    assert found["Ruth"].embedding @ found["speaker 1"].embedding < found["Ruth"].embedding @ found["Ruth"].embedding


def test_turns_that_say_only_who_speaks_become_utterances_without_text(call: Audio, turns: list[Spoken]) -> None:
    said = [Turn("", t.start_s, t.end_s, t.speaker) for t in turns]
    drafts, note = from_timed_turns(call, said, find_aligner("pocketsphinx"), "en", 15.0)
    assert drafts is not None and note is None
    _, utterances = assign_speakers(call, drafts, None)
    assert [(u.start_s, u.speaker, u.text) for u in utterances] == [(t.start_s, t.speaker, None) for t in turns]


def test_a_speaker_of_many_utterances_is_read_no_further_than_needed(
    call: Audio, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[int] = []
    one = np.eye(SIZE, dtype=np.float32)[0]

    def embed(waves: list[np.ndarray]) -> list[np.ndarray]:
        heard.append(len(waves))
        return [one for _ in waves]

    monkeypatch.setattr(speakers, "embed_utterances", embed)
    found, _ = assign_speakers(call, [Draft(1.0, 1.5, 0, "Ruth")] * 1000, None)
    np.testing.assert_array_equal(found["Ruth"].embedding, one)
    assert 100 <= sum(heard) < 150
