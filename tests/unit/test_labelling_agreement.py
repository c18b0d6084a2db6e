"""Krippendorff's alpha against published figures, its interval, and what cannot be told."""

import numpy as np
import pytest

from ml.labelling.agreement import confusion, dispute, interval, nominal

NAN = None
#: Krippendorff (2011), section D: four observers, twelve units.
OBSERVERS = (
    (1, 2, 3, 3, 2, 1, 4, 1, 2, NAN, NAN, NAN),
    (1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NAN, 3),
    (NAN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NAN),
    (1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NAN),
)
UNITS = [[value for value in unit if value is not None] for unit in zip(*OBSERVERS, strict=True)]


def test_alpha_is_what_krippendorff_publishes() -> None:
    by_class, by_points = nominal(UNITS), interval(UNITS)

    assert by_class.alpha == pytest.approx(0.743, abs=5e-4)
    assert by_points.alpha == pytest.approx(0.849, abs=5e-4)
    assert by_class.items == by_points.items == 11, "the last unit has one value, which nothing pairs with"


def test_two_coders_of_krippendorffs_binary_example() -> None:
    # Section A: ten units, two observers, alpha 0.095
    first, second = (0, 1, 0, 0, 0, 0, 0, 0, 1, 0), (1, 1, 1, 0, 0, 1, 0, 0, 0, 0)

    assert nominal(list(zip(first, second, strict=True))).alpha == pytest.approx(0.095, abs=5e-4)


def test_points_may_lie_anywhere_on_their_scale() -> None:
    moved = [[1e6 + value / 4 for value in unit] for unit in UNITS]

    assert interval(moved).alpha == pytest.approx(interval(UNITS).alpha)


def test_the_interval_gets_narrower_with_more_items_and_holds_chance() -> None:
    drawn = np.random.default_rng(1).integers(0, 4, size=(400, 2)).tolist()

    few, many = nominal(drawn[:40]), nominal(drawn)

    for found in (few, many):
        assert found.low is not None and found.high is not None
        assert found.low < 0 < found.high
    assert many.high - many.low < (few.high - few.low) / 2  # type: ignore[operator]
    assert nominal(drawn) == many, "the same data give the same interval"


def test_what_cannot_be_told_has_a_reason() -> None:
    assert nominal([]).note == interval([["angry"]]).note == "nothing was judged by two or more annotators"  # type: ignore[list-item]
    same = nominal([["angry", "angry"]] * 5)
    assert (same.alpha, same.items) == (None, 5)
    assert same.note is not None and "every judgement is the same" in same.note
    assert interval([[3.0, 3.0], [3.0, 3.0]]).alpha is None
    one = nominal([["angry", "sad"]])
    assert (one.low, one.note) == (None, "too few items for an interval")


def test_confusion_and_dispute_are_counted_pair_by_pair() -> None:
    found = confusion([{"Kim": "sad", "Ida": "angry"}, {"Kim": "sad", "Ida": "sad", "Lee": "fear"}, {"Kim": "sad"}])

    assert found[("Ida", "Kim")] == {("angry", "sad"): 1, ("sad", "sad"): 1}
    assert found[("Kim", "Lee")] == {("sad", "fear"): 1}
    assert dispute(["sad", "sad"]) == dispute(["sad"]) == 0.0
    assert dispute(["sad", "sad", "fear"]) == pytest.approx(2 / 3)
