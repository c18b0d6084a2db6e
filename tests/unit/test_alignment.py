"""Alignment of the sample calls: utterances, speakers, words; and of transcripts that are not what is said."""

import itertools
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ml.alignment import speakers, sphinx
from ml.alignment.aligner import NotAligned, Piece, Placed
from ml.alignment.options import AlignOptions
from ml.alignment.recording import align_recording
from ml.alignment.registry import AlignerUnknown
from ml.alignment.tokens import tokens
from ml.audio.decode import SAMPLE_RATE, decode
from ml.features.speaker import USUAL
from ml.transcripts import read_transcript
from ops.samples import ARCHIVE

CALL = ARCHIVE / "bereavement.ogg"
TRANSCRIPT = ARCHIVE / "bereavement.txt"


@pytest.fixture(scope="module")
def turn() -> tuple[np.ndarray, list[str]]:
    """One turn of a call: samples around it, and its words."""
    first = read_transcript(TRANSCRIPT).turns[0]
    assert first.start_s is not None and first.end_s is not None
    samples = decode(CALL)[:, int(first.start_s * SAMPLE_RATE) : int((first.end_s + 0.2) * SAMPLE_RATE)]
    return samples.mean(axis=0), tokens(first.text)


def place(samples: np.ndarray, words: list[str]) -> Placed | NotAligned:
    (placed,) = sphinx.align([Piece(samples, tuple(words), "en")])
    return placed


def test_words_and_phones_come_in_order_and_none_is_lost(turn: tuple[np.ndarray, list[str]]) -> None:
    samples, written = turn
    placed = place(samples, written)
    assert isinstance(placed, Placed) and placed.phones is not None
    words = placed.words
    assert [word.text for word in words] == written
    assert all(a.end_s <= b.start_s + 0.001 for a, b in itertools.pairwise(words))
    assert 0 <= words[0].start_s < words[-1].end_s <= len(samples) / SAMPLE_RATE
    assert all(0 < (word.confidence or 0) <= 1 for word in words)
    assert len(placed.phones) >= len(words)
    assert all(a.end_s == b.start_s for a, b in itertools.pairwise(placed.phones))


def test_somebody_elses_words_are_not_aligned(turn: tuple[np.ndarray, list[str]]) -> None:
    words = ["photosynthesis", "converts", "electromagnetic", "radiation", "efficiently", "throughout"]
    assert isinstance(place(turn[0], words), NotAligned)


def test_a_word_that_no_dictionary_has_is_aligned_all_the_same(turn: tuple[np.ndarray, list[str]]) -> None:
    samples, written = turn
    placed = place(samples, [*written[:-1], written[-1] + "zkx"])
    assert isinstance(placed, Placed) and placed.words[-1].text.endswith("zkx")


def test_a_piece_does_not_depend_on_what_was_aligned_before(turn: tuple[np.ndarray, list[str]]) -> None:
    samples, written = turn
    alone = place(samples, written)
    place(samples * 0.1, written[:3])
    assert place(samples, written) == alone


def test_a_timed_two_channel_call_has_its_turns_speakers_and_words() -> None:
    alignment = align_recording(CALL, TRANSCRIPT, AlignOptions())
    turns = read_transcript(TRANSCRIPT).turns

    assert len(alignment.utterances) == len(turns)
    assert {s.label for s in alignment.speakers.values() if s.named} == {t.speaker for t in turns}
    assert len({s.channel for s in alignment.speakers.values()}) == 2
    assert [u.number for u in alignment.utterances] == list(range(len(turns)))
    assert sum(u.words is not None for u in alignment.utterances) >= 0.8 * len(turns)
    for speaker in alignment.speakers.values():
        assert speaker.embedding.shape == (256,) and np.isfinite(speaker.embedding).all()
        assert speaker.usual.shape == (USUAL,) and 0 < speaker.usual[0] < 1 and np.isfinite(speaker.usual).all()


def test_plain_text_gives_utterances_with_times(tmp_path: Path) -> None:
    shutil.copy(CALL, tmp_path / "call.ogg")
    text = " ".join(turn.text for turn in read_transcript(TRANSCRIPT).turns)
    (tmp_path / "call.txt").write_text(text)

    alignment = align_recording(tmp_path / "call.ogg", tmp_path / "call.txt", AlignOptions())

    assert len(alignment.utterances) > 3
    said = " ".join(u.text or "" for u in alignment.utterances)
    assert said.split() == text.split()
    assert all(u.words for u in alignment.utterances)


def test_a_long_plain_text_is_searched_over_several_calls_and_words_are_where_their_turns_are(tmp_path: Path) -> None:
    calls = ["bereavement", "lost-parcel"]
    sounds = [decode(ARCHIVE / f"{call}.ogg").mean(axis=0) for call in calls]
    soundfile.write(tmp_path / "calls.wav", np.concatenate(sounds), SAMPLE_RATE)
    turns = [read_transcript(ARCHIVE / f"{call}.txt").turns for call in calls]
    (tmp_path / "calls.txt").write_text("\n".join(turn.text for own in turns for turn in own))

    alignment = align_recording(tmp_path / "calls.wav", tmp_path / "calls.txt", AlignOptions())

    words = [word for utterance in alignment.utterances for word in utterance.words or ()]
    shift = len(sounds[0]) / SAMPLE_RATE
    truth = [
        *turns[0],
        *(replace(turn, start_s=(turn.start_s or 0) + shift, end_s=(turn.end_s or 0) + shift) for turn in turns[1]),
    ]
    owners = [turn for turn in truth for _ in tokens(turn.text)]
    assert [word.text for word in words] == [word for turn in truth for word in tokens(turn.text)]
    inside = [
        (turn.start_s or 0) - 0.3 <= word.start_s <= (turn.end_s or 0) for word, turn in zip(words, owners, strict=True)
    ]
    assert np.mean(inside) > 0.97
    assert all(utterance.syllables for utterance in alignment.utterances if utterance.words)


def test_without_a_transcript_voice_activity_gives_the_utterances() -> None:
    alignment = align_recording(ARCHIVE / "appointment.ogg", None, AlignOptions())
    assert len(alignment.utterances) > 3
    assert all(u.text is None and u.words is None for u in alignment.utterances)
    assert {u.channel for u in alignment.utterances} == {0, 1}


def test_another_language_keeps_its_text_and_says_why_words_have_no_times() -> None:
    alignment = align_recording(CALL, TRANSCRIPT, AlignOptions(language="pl"))
    assert alignment.language == "pl"
    assert {u.quality for u in alignment.utterances} == {"language_not_aligned"}
    assert all(u.text and u.words is None for u in alignment.utterances)


def test_long_turns_are_cut_and_lose_no_word() -> None:
    alignment = align_recording(CALL, TRANSCRIPT, AlignOptions(max_utterance_s=2.0))
    assert max(u.end_s - u.start_s for u in alignment.utterances) <= 2.01


def test_an_unknown_aligner_lists_the_known_ones() -> None:
    with pytest.raises(AlignerUnknown, match="none, pocketsphinx"):
        align_recording(CALL, None, AlignOptions(aligner="gentle"))


def test_two_voices_on_one_channel_are_told_apart(tmp_path: Path) -> None:
    mono = tmp_path / "mono.wav"
    soundfile.write(mono, decode(ARCHIVE / "meal-delivery.ogg").mean(axis=0), SAMPLE_RATE)
    alignment = align_recording(mono, None, AlignOptions())
    assert len(alignment.speakers) >= 2
    assert next(iter(alignment.speakers)) == "speaker 1"


def test_batched_voice_embeddings_are_those_of_the_package() -> None:
    from resemblyzer import preprocess_wav

    waves = [decode(CALL)[0, a * SAMPLE_RATE : b * SAMPLE_RATE] for a, b in ((1, 4), (5, 11))]
    for wave, embedding in zip(waves, speakers.embed_utterances(waves), strict=True):
        prepared = preprocess_wav(wave * min(1.0, 0.99 / float(np.abs(wave).max())))
        assert embedding is not None
        np.testing.assert_allclose(embedding, speakers.voice_encoder().embed_utterance(prepared), atol=1e-5)


def test_turns_beyond_the_end_of_a_recording_are_named_not_lost_in_silence(tmp_path: Path) -> None:
    written = tmp_path / "call.txt"
    written.write_text(TRANSCRIPT.read_text() + "600.0 604.0 [Agent Ruth] Nobody is here any more.\n")
    alignment = align_recording(CALL, written, AlignOptions(aligner="none"))
    assert alignment.quality["transcript"] == "transcript_partly_read"
    assert "begins at 600.0 s, the recording ends at 3" in str(alignment.quality["detail"])
    assert all(utterance.end_s <= alignment.duration_s for utterance in alignment.utterances)
