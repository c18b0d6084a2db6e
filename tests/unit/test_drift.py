"""Drift: nothing where nothing changed, and a sign where something did."""

import json

import numpy as np
import pytest

from ml.drift import Histogram, Reference, drift, measures_of, mmd2, mmd_test

NAMES = ("angry", "happy", "neutral")


def output(rng: np.random.Generator, n: int, angry: float = 1.0, seconds: float = 3.0):  # type: ignore[no-untyped-def]
    probabilities = rng.dirichlet([angry, 1.0, 2.0], n)
    return measures_of(probabilities, NAMES, rng.gamma(4.0, seconds / 4, n)), probabilities


def test_the_index_is_the_textbooks() -> None:
    """Shares 0.5/0.5 against 0.8/0.2: Σ (a − e) ln(a / e) by hand."""
    histogram = Histogram((0.5,), (0.5, 0.5))
    values = np.array([0.1] * 8 + [0.9] * 2)
    assert histogram.psi(values) == pytest.approx(0.3 * np.log(1.6) - 0.3 * np.log(0.4))


def test_bins_hold_equal_shares_and_repeated_values_share_one() -> None:
    rng = np.random.default_rng(0)
    assert Histogram.of(rng.normal(size=1000)).shares == pytest.approx([0.1] * 10, abs=0.002)
    assert len(Histogram.of(np.repeat([0.0, 1.0], 50)).shares) <= 3


def test_the_same_again_has_not_drifted() -> None:
    rng = np.random.default_rng(0)
    found = drift(Reference.of(*output(rng, 2000), None), *output(rng, 1000), None)
    assert found.psi < 0.1
    assert found.mmd is not None and found.mmd[1] > 0.05
    assert found.mmd_voices is None


@pytest.mark.parametrize(("change", "seen"), [({"angry": 4.0}, "p_angry"), ({"seconds": 9.0}, "seconds")])
def test_what_changed_is_named(change: dict[str, float], seen: str) -> None:
    rng = np.random.default_rng(0)
    found = drift(Reference.of(*output(rng, 2000), None), *output(rng, 1000, **change), None)
    assert found.psi > 0.25
    assert max(found.psi_of, key=lambda name: found.psi_of[name]) == seen


def test_other_people_are_seen_in_their_voices() -> None:
    rng = np.random.default_rng(0)
    voices, others = rng.normal(size=(40, 256)), rng.normal(size=(40, 256)) + 0.3
    assert mmd_test(voices, rng.normal(size=(40, 256)))[1] > 0.05
    assert mmd_test(voices, others)[1] < 0.05


def test_the_discrepancy_is_unbiased() -> None:
    rng = np.random.default_rng(0)
    found = [mmd2(rng.normal(size=(20, 3)), rng.normal(size=(20, 3))) for _ in range(200)]
    assert abs(np.mean(found)) < 0.005
    assert min(found) < 0


def test_a_reference_survives_the_database() -> None:
    rng = np.random.default_rng(0)
    reference = Reference.of(*output(rng, 500), rng.normal(size=(5, 256)))
    again = Reference.from_json(json.loads(json.dumps(reference.to_json())))
    measures, probabilities = output(rng, 300)
    assert drift(again, measures, probabilities, None).psi_of == drift(reference, measures, probabilities, None).psi_of
