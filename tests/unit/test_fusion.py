"""Fused probabilities sum to one wherever there is anything to fuse."""

import numpy as np
import pytest

from ml.emotions import EMOTIONS
from ml.models.fusion import score_fusion, to_label_set

NAN = np.full(7, np.nan)
VOICE = np.array([0.5, 0.1, 0.1, 0.1, 0.1, 0.05, 0.05])
WORDS = np.array([0.1, 0.6, 0.1, 0.1, 0.05, 0.05, 0.0])


def test_both_sides_count_by_their_weights() -> None:
    fused = score_fusion(VOICE[None], WORDS[None], w_speech=0.6, w_text=1.0)[0]

    assert np.allclose(fused, (0.6 * VOICE + WORDS) / 1.6)


def test_one_side_alone_is_taken_as_it_is_and_none_stays_none() -> None:
    fused = score_fusion(np.stack([VOICE, NAN, NAN]), np.stack([NAN, WORDS, NAN]), w_speech=0.6, w_text=0.4)

    assert np.array_equal(fused[0], VOICE)
    assert np.array_equal(fused[1], WORDS)
    assert np.isnan(fused[2]).all()


def test_a_class_that_one_model_does_not_know_leaves_rows_that_sum_to_one() -> None:
    known = ("angry", "happy", "sad")
    voice = to_label_set(np.array([[0.2, 0.3, 0.5]]), known, EMOTIONS, EMOTIONS)

    fused = score_fusion(voice, WORDS[None], w_speech=0.6, w_text=0.4)[0]

    assert fused.sum() == pytest.approx(1)
    assert fused[EMOTIONS.index("neutral")] == pytest.approx(0.4 * WORDS[2])


def test_a_model_is_restricted_to_the_label_set_and_renormalised() -> None:
    wanted = ("angry", "neutral")

    own = to_label_set(VOICE[None], EMOTIONS, wanted, EMOTIONS)[0]
    fused = score_fusion(own[None], own[None], w_speech=1, w_text=1)[0]

    assert own[0] == pytest.approx(0.5 / 0.6)
    assert np.isnan(own[[1, 3, 4, 5, 6]]).all()
    assert np.isnan(fused[1]), "outside the label set there is no probability, not zero"
    assert np.nansum(fused) == pytest.approx(1)


def test_rows_without_a_score_stay_without_one() -> None:
    assert np.isnan(to_label_set(NAN[None], EMOTIONS, EMOTIONS, EMOTIONS)).all()
    assert np.isnan(to_label_set(np.array([[1.0, 0.0]]), ("angry", "sad"), ("sad",), EMOTIONS)).all()
