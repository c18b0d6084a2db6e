"""Temperature: found where it was hidden, never changing which class wins."""

import numpy as np
import pytest

from ml.models.calibration import fit_temperature, log_softmax, negative_log_likelihood


def drawn(temperature: float, *, items: int = 4000, seed: int = 11) -> tuple[np.ndarray, np.ndarray]:
    """Logits [items, 7] that are over-confident by a factor, and labels drawn from the honest distribution."""
    rng = np.random.default_rng(seed)
    honest = rng.normal(0, 1.5, (items, 7))
    probabilities = np.exp(log_softmax(honest))
    labels = np.array([rng.choice(7, p=row / row.sum()) for row in probabilities])
    return honest * temperature, labels


@pytest.mark.parametrize("hidden", [0.5, 1.0, 2.5])
def test_the_temperature_that_spoiled_the_logits_is_found(hidden: float) -> None:
    logits, labels = drawn(hidden)
    assert fit_temperature(logits, labels) == pytest.approx(hidden, rel=0.1)


def test_the_fitted_temperature_beats_its_neighbours() -> None:
    logits, labels = drawn(2.0)
    best = fit_temperature(logits, labels)

    fitted = negative_log_likelihood(logits, labels, best)

    for other in (1.0, best * 0.8, best * 1.25):
        assert fitted < negative_log_likelihood(logits, labels, other)


def test_log_softmax_survives_large_logits() -> None:
    result = log_softmax(np.array([[1000.0, 0.0, -1000.0]]))

    assert np.isfinite(result).all()
    assert np.exp(result).sum() == pytest.approx(1)


def test_perfectly_separated_logits_stay_within_the_search_range() -> None:
    labels = np.arange(7)
    assert 0.25 <= fit_temperature(np.eye(7) * 50, labels) <= 8
