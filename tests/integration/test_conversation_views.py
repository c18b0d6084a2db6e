"""Turns of emotion and of speech, on calls planted by hand: every expected number can be reckoned on paper."""

import pytest

from tests.integration.one_call import ANGRY, HAPPY, SAD, Call
from tests.integration.planting import Plant, distribution


def test_a_turn_names_both_emotions_how_far_it_went_and_what_was_said_before(plant: Plant, call: Call) -> None:
    # Given Anna calm, Ben sad, then Anna partly angry
    calm, cross = distribution(neutral=0.9, sad=0.1), distribution(angry=0.7, neutral=0.3)
    plant.score(call.alignment, call.version, call.batch, [calm, SAD, cross])

    (turn,) = plant.rows("SELECT * FROM emotion_shifts")

    assert (turn["speaker"], turn["from_label"], turn["to_label"]) == ("Anna", "neutral", "angry")
    assert (turn["utterance_no"], turn["start_s"], turn["since_no"], turn["since_s"]) == (2, 8.0, 0, 2.0)
    assert turn["shift"] == pytest.approx(0.7), "0.6 of neutral and 0.1 of sad became angry"
    assert turn["negative_change"] == pytest.approx(0.6), "0.1 sad before, 0.7 angry now"
    assert (turn["after_speaker"], turn["after_no"], turn["after_text"]) == ("Ben", 1, "what is it")
    assert (turn["text"], turn["confidence"]) == ("you know that", pytest.approx(0.7))


def test_who_stays_as_they_were_has_no_turn(plant: Plant, call: Call) -> None:
    plant.score(call.alignment, call.version, call.batch, [HAPPY, SAD, HAPPY])

    assert plant.rows("SELECT * FROM emotion_shifts") == []


def test_a_turn_within_ones_own_turn_comes_after_nobody(plant: Plant, call: Call) -> None:
    file = plant.file(call.archive, "a/two.wav", recording := plant.recording(20.0))
    alone = plant.alignment(recording, file, [("Cem", 0.0, 2.0, "so"), ("Cem", 3.0, 4.0, "no")])
    plant.score(alone, call.version, call.batch, [HAPPY, ANGRY])

    (turn,) = plant.rows("SELECT * FROM emotion_shifts WHERE recording = 'a/two.wav'")

    assert (turn["after_speaker"], turn["after_no"], turn["after_text"]) == (None, None, None)
    assert turn["shift"] == pytest.approx(1.0)


def test_shares_silence_and_answers_follow_from_times(plant: Plant, call: Call) -> None:
    plant.score(call.alignment, call.version, call.batch, [HAPPY, SAD, HAPPY])

    anna, ben = plant.rows("SELECT * FROM conversation_dynamics ORDER BY speaker")

    assert (anna["talk_s"], ben["talk_s"]) == (8.0, 4.0)
    assert (anna["talk_share"], ben["talk_share"]) == (pytest.approx(2 / 3), pytest.approx(1 / 3))
    assert (anna["turns"], anna["longest_turn_s"], ben["turns"]) == (2, 6.0, 1)
    assert (anna["response_s"], ben["response_s"]) == (1.0, 1.0)
    assert anna["silence_s"] == ben["silence_s"] == 48.0
    assert (anna["overlap_s"], anna["interruptions"], ben["interruptions"]) == (0.0, 0, 0)


def test_an_interruption_takes_the_floor_and_a_murmur_does_not(plant: Plant, call: Call) -> None:
    # Given Dee speaking from 0 to 10, Eli murmuring from 3 to 4, and taking the floor at 9
    file = plant.file(call.archive, "a/three.wav", recording := plant.recording(20.0))
    spoken = [("Dee", 0.0, 10.0, ""), ("Eli", 3.0, 4.0, ""), ("Eli", 9.0, 12.0, ""), ("Dee", 12.0, 13.0, "")]
    alignment = plant.alignment(recording, file, spoken)
    plant.score(alignment, call.version, call.batch, [HAPPY] * 4)

    dee, eli = plant.rows("SELECT * FROM conversation_dynamics WHERE recording = 'a/three.wav' ORDER BY speaker")

    assert (dee["interruptions"], eli["interruptions"]) == (0, 1)
    assert (dee["overlap_s"], eli["overlap_s"]) == (2.0, 2.0)
    assert (eli["talk_s"], eli["turns"], eli["longest_turn_s"]) == (4.0, 1, 9.0)
    assert eli["response_s"] == -7.0, "the murmur came seven seconds before the end"
    assert dee["silence_s"] == 47.0, "of the sixty that the alignment has"


def test_a_recording_without_a_second_voice_has_no_answers(plant: Plant, call: Call) -> None:
    file = plant.file(call.archive, "a/four.wav", recording := plant.recording(20.0))
    alignment = plant.alignment(recording, file, [("Fay", 0.0, 5.0, "hm")])
    plant.score(alignment, call.version, call.batch, [HAPPY])

    (fay,) = plant.rows("SELECT * FROM conversation_dynamics WHERE recording = 'a/four.wav'")

    assert (fay["talk_share"], fay["response_s"], fay["overlap_s"], fay["interruptions"]) == (1.0, None, 0.0, 0)
