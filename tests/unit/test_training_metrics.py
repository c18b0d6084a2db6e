"""Metrics of training reports against scikit-learn and values worked out by hand."""

from dataclasses import asdict

import numpy as np
import pytest
from sklearn import metrics as reference

from ml.reports.markdown import interval
from ml.training.metrics import (
    accuracy,
    balanced_accuracy,
    bootstrap,
    confusion,
    expected_calibration_error,
    macro_f1,
    recalls,
    reliability,
    weighted_f1,
)

RNG = np.random.default_rng(5)
LABELS = RNG.integers(0, 4, size=300)
PREDICTED = np.where(RNG.random(300) < 0.6, LABELS, RNG.integers(0, 4, size=300))


def test_figures_are_those_of_scikit_learn() -> None:
    assert accuracy(LABELS, PREDICTED) == pytest.approx(reference.accuracy_score(LABELS, PREDICTED))
    assert balanced_accuracy(LABELS, PREDICTED) == pytest.approx(reference.balanced_accuracy_score(LABELS, PREDICTED))
    assert macro_f1(LABELS, PREDICTED) == pytest.approx(reference.f1_score(LABELS, PREDICTED, average="macro"))
    assert weighted_f1(LABELS, PREDICTED) == pytest.approx(reference.f1_score(LABELS, PREDICTED, average="weighted"))
    assert confusion(LABELS, PREDICTED, 4).tolist() == reference.confusion_matrix(LABELS, PREDICTED).tolist()


def test_a_class_that_does_not_occur_has_no_recall() -> None:
    assert recalls(np.array([[3, 1, 0], [0, 0, 0], [1, 0, 1]])) == [0.75, None, 0.5]


def test_calibration_error_of_known_cases() -> None:
    # Four items at 0.9 of which three are right, and four at 0.6 of which one is: (|0.9 - 0.75| + |0.6 - 0.25|) / 2.
    probabilities = np.array([[0.9, 0.1]] * 4 + [[0.6, 0.4]] * 4)
    labels = np.array([0, 0, 0, 1, 0, 1, 1, 1])

    assert expected_calibration_error(probabilities, labels) == pytest.approx(0.25)
    assert [(b.count, b.accuracy) for b in reliability(probabilities, labels)] == [(4, 0.25), (4, 0.75)]


def test_certainty_that_is_right_has_no_calibration_error() -> None:
    assert expected_calibration_error(np.eye(3), np.arange(3)) == 0
    assert expected_calibration_error(np.eye(3), np.array([1, 2, 0])) == 1


def test_intervals_hold_the_figure_and_are_narrow_where_speakers_agree() -> None:
    speakers = [f"speaker {i % 10}" for i in range(300)]
    found = bootstrap(LABELS, PREDICTED, speakers, 4)

    for name, value in (
        ("accuracy", accuracy(LABELS, PREDICTED)),
        ("balanced_accuracy", balanced_accuracy(LABELS, PREDICTED)),
    ):
        assert found[name].value == pytest.approx(value)
        assert found[name].low < value < found[name].high
    agreeing = bootstrap(np.tile([0, 1], 20), np.tile([0, 0], 20), np.repeat(list("abcdefghij"), 4).tolist(), 2)
    assert agreeing["accuracy"].low == agreeing["accuracy"].high == 0.5


def test_one_speaker_is_too_few_for_an_interval_and_the_report_says_so() -> None:
    found = bootstrap(LABELS, PREDICTED, ["alone"] * 300, 4)["accuracy"]

    assert (found.value, found.low, found.high) == (pytest.approx(accuracy(LABELS, PREDICTED)), None, None)
    assert interval(asdict(found)) == f"{found.value:.3f} [one speaker: no interval]"


def test_intervals_are_over_speakers_and_not_over_items() -> None:
    # Half of the speakers are always recognised and half never: items look like many, speakers are four.
    labels = np.zeros(400, dtype=np.int64)
    predicted = np.repeat([0, 0, 1, 1], 100)
    speakers = np.repeat(list("abcd"), 100).tolist()

    found = bootstrap(labels, predicted, speakers, 2)["accuracy"]

    assert found.high - found.low > 0.8
