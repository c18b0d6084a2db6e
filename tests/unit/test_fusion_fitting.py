"""Fusion weights and temperatures are found where they were hidden."""

import numpy as np
import pytest

from ml.models.fitting import FusionNotFitted, fit_fusion
from ml.models.fusion import score_fusion

RNG = np.random.default_rng(8)
LABELS = RNG.integers(0, 4, 3000)


def side(skill: float, temperature: float = 1.0) -> np.ndarray:
    """Logits [3000, 4] of a classifier that is right more often with more skill, sharpened by a temperature.

    Logits are Gaussian around skill · one-hot with variance skill, whose softmax is the honest posterior.
    """
    logits = RNG.normal(0, np.sqrt(skill), (3000, 4)) if skill else np.zeros((3000, 4))
    logits[np.arange(3000), LABELS] += skill
    return logits * temperature


def softmax(logits: np.ndarray) -> np.ndarray:
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


def test_the_better_side_counts_more_and_weights_add_up_to_one() -> None:
    fitted = fit_fusion(side(4.0), side(1.0), LABELS)

    assert fitted.w_speech > 0.7
    assert fitted.w_speech + fitted.w_text == pytest.approx(1)
    assert fit_fusion(side(1.0), side(4.0), LABELS).w_text > 0.7


def test_a_side_that_knows_nothing_counts_nothing() -> None:
    assert fit_fusion(side(2.0), side(0.0), LABELS).w_text == pytest.approx(0, abs=0.05)


def test_the_temperatures_that_spoiled_the_sides_are_found() -> None:
    fitted = fit_fusion(side(2.0, temperature=3.0), side(2.0, temperature=0.5), LABELS)

    assert fitted.temperature_speech == pytest.approx(3.0, rel=0.15)
    assert fitted.temperature_text == pytest.approx(0.5, rel=0.15)
    assert fitted.w_speech == pytest.approx(0.5, abs=0.1), "equally good once each is honest"


def test_the_fitted_weights_beat_their_neighbours() -> None:
    speech, text = side(2.0), side(1.0)
    fitted = fit_fusion(speech, text, LABELS)
    by_voice = softmax(speech / fitted.temperature_speech)
    by_words = softmax(text / fitted.temperature_text)

    def loss(w_speech: float) -> float:
        fused = score_fusion(by_voice, by_words, w_speech=w_speech, w_text=1 - w_speech)
        return float(-np.log(fused[np.arange(3000), LABELS]).mean())

    assert all(loss(fitted.w_speech) <= loss(other) for other in (0.0, 0.25, 0.375, 0.5, 0.75, 1.0))


def test_utterances_with_one_side_do_not_move_the_weights() -> None:
    speech, text = side(2.0), side(1.0)
    alone = speech.copy(), text.copy()
    alone[0][:500], alone[1][500:1000] = np.nan, np.nan
    kept = slice(1000, None)

    fitted, expected = fit_fusion(*alone, LABELS), fit_fusion(speech[kept], text[kept], LABELS[kept])

    assert fitted.w_speech == pytest.approx(expected.w_speech, abs=0.02)


def test_without_pairs_there_is_nothing_to_fit() -> None:
    with pytest.raises(FusionNotFitted) as caught:
        fit_fusion(side(1.0), np.full((3000, 4), np.nan), LABELS)

    assert "by words" in str(caught.value)
