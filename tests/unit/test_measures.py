"""Diarization error rate and boundary errors, on cases worked out by hand."""

import math

import pytest

from ml.alignment.measures import DiarizationError, Spoken, boundary_errors, diarization_error


def test_the_right_answer_under_other_names_has_no_error() -> None:
    real = [Spoken(0, 5, "ann"), Spoken(5, 8, "bob"), Spoken(8, 9, "ann")]
    found = [Spoken(0, 5, "1"), Spoken(5, 8, "0"), Spoken(8, 9, "1")]
    assert diarization_error(real, found) == DiarizationError(total_s=9.0)


def test_missed_false_and_confused_speech_are_told_apart() -> None:
    real = [Spoken(0, 10, "ann"), Spoken(12, 20, "bob")]
    found = [Spoken(1, 13, "0"), Spoken(13, 20, "1")]
    error = diarization_error(real, found)
    # Missed 0–1; false 10–12; 12–13 is bob's but given to the voice that is ann's
    assert (error.missed_s, error.false_alarm_s) == pytest.approx((1, 2))
    assert error.confusion_s == pytest.approx(1)
    assert error.rate == pytest.approx(4 / 18)


def test_the_mapping_is_the_best_one_and_not_the_first() -> None:
    real = [Spoken(0, 4, "ann"), Spoken(4, 7, "bob")]
    # Taking the largest overlap first (0 with ann: 4 s) would leave bob with nothing
    found = [Spoken(0, 4, "0"), Spoken(4, 7, "0"), Spoken(0, 3.5, "1")]
    error = diarization_error(real, found)
    assert error.false_alarm_s == pytest.approx(3.5)
    assert error.confusion_s == pytest.approx(0.5)


def test_two_who_speak_at_once_count_twice_and_one_of_them_can_be_missed() -> None:
    real = [Spoken(0, 4, "ann"), Spoken(2, 4, "bob")]
    error = diarization_error(real, [Spoken(0, 4, "0")])
    assert (error.missed_s, error.total_s) == pytest.approx((2, 6))
    assert error.confusion_s == pytest.approx(0)


def test_a_collar_forgives_boundaries_that_are_a_little_off() -> None:
    real = [Spoken(1, 3, "ann"), Spoken(5, 7, "bob")]
    found = [Spoken(0.8, 3.2, "0"), Spoken(5.2, 6.5, "1")]
    strict, forgiving = diarization_error(real, found), diarization_error(real, found, collar_s=0.25)
    assert (strict.missed_s, strict.false_alarm_s) == pytest.approx((0.7, 0.4))
    # Scored are 1.25–2.75 and 5.25–6.75, of which 6.5–6.75 was missed
    assert forgiving.total_s == pytest.approx(3.0)
    assert (forgiving.missed_s, forgiving.false_alarm_s) == pytest.approx((0.25, 0.0))


def test_a_speaker_who_overlaps_with_themself_is_one_speaker() -> None:
    twice = [Spoken(0, 3, "ann"), Spoken(2, 5, "ann")]
    assert diarization_error(twice, [Spoken(0, 5, "0")]) == DiarizationError(total_s=5.0)
    assert diarization_error([Spoken(0, 5, "ann")], twice).false_alarm_s == 0


def test_recordings_are_added_by_seconds_and_not_by_rates() -> None:
    whole = DiarizationError(1, 0, 0, 10) + DiarizationError(0, 2, 1, 90)
    assert whole.rate == pytest.approx(0.04)


def test_silence_has_no_error_until_somebody_is_heard_in_it() -> None:
    assert diarization_error([], []).rate == 0
    assert diarization_error([], [Spoken(0, 1, "0")]).rate == math.inf
    assert diarization_error([Spoken(0, 1, "ann")], []).rate == 1


def test_each_end_of_a_turn_is_measured_to_the_nearest_of_its_kind() -> None:
    turns = [Spoken(1, 3, "ann"), Spoken(4, 6, "bob")]
    found = [Spoken(1.1, 3.5, "0"), Spoken(3.9, 5.8, "1")]
    assert boundary_errors(turns, found) == pytest.approx([0.1, 0.5, 0.1, 0.2])
    assert boundary_errors(turns, []) == []
