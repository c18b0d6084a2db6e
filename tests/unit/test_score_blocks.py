"""What may be stored as scores, checked before anything is sent."""

import numpy as np
import pytest

from db.errors import InvalidScores
from db.scores import ScoreBlock, check
from db.tables.scores import EMOTIONS
from ml.emotions import EMOTIONS as CANONICAL

GOOD = [0.2, 0.2, 0.2, 0.1, 0.1, 0.1, 0.1]
NAN = float("nan")


def block(*fused: list[float], keys: list[tuple[int, int]] | None = None, **more: object) -> ScoreBlock:
    """Utterances 0, 1, ... of alignment 41, whose speech and text are fine."""
    fine = np.full((len(fused), len(EMOTIONS)), 1 / len(EMOTIONS))
    keys = keys or [(41, number) for number in range(len(fused))]
    return ScoreBlock(1, 1, keys, fine, fine, np.array(fused), **more)  # type: ignore[arg-type]


def test_the_columns_are_the_canonical_emotions_in_their_order() -> None:
    assert EMOTIONS == CANONICAL


@pytest.mark.parametrize(
    "row",
    [
        GOOD,
        [NAN] * 7,
        [0.5, 0.5, NAN, NAN, NAN, NAN, NAN],
        [1.0, 0, 0, 0, 0, 0, 0],
        [0.2005, 0.2, 0.2, 0.1, 0.1, 0.1, 0.1],
    ],
    ids=["distribution", "absent", "fewer classes", "certain", "rounded"],
)
def test_distributions_and_absent_rows_are_accepted(row: list[float]) -> None:
    check(block(GOOD, row))


@pytest.mark.parametrize(
    "row",
    [
        [0.9, 0.2, 0.2, 0.1, 0.1, 0.1, 0.1],
        [0.1] * 7,
        [-0.1, 0.5, 0.2, 0.1, 0.1, 0.1, 0.1],
        [1.5, -0.5, 0, 0, 0, 0, 0],
        [float("inf"), 0, 0, 0, 0, 0, 0],
        [float("-inf"), 1, 0, 0, 0, 0, 0],
        [0.5, NAN, NAN, NAN, NAN, NAN, NAN],
        [0.0] * 7,
    ],
    ids=["above one", "below one", "negative", "cancels out", "infinite", "minus infinite", "half of it", "zero"],
)
def test_an_utterance_whose_scores_are_no_distribution_is_named(row: list[float]) -> None:
    with pytest.raises(InvalidScores, match=r"fused scores of utterance 1 of alignment 41 are no distribution$"):
        check(block(GOOD, row, GOOD))


def test_the_first_of_several_is_named_and_the_rest_counted() -> None:
    with pytest.raises(InvalidScores, match=r"utterance 0 of alignment 7 .* and 2 more like it"):
        check(block([0.1] * 7, GOOD, [0.1] * 7, [0.1] * 7, keys=[(7, 0), (7, 1), (8, 0), (8, 1)]))


def test_the_side_is_named() -> None:
    made = block(GOOD)
    wrong = ScoreBlock(1, 1, made.keys, made.speech, np.array([[0.1] * 7]), made.fused)

    with pytest.raises(InvalidScores, match=r"^text scores of"):
        check(wrong)


def test_arrays_notes_and_keys_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InvalidScores, match=r"fused scores have shape \(2, 7\) for 1 utterances"):
        check(ScoreBlock(1, 1, [(1, 1)], np.array([GOOD]), np.array([GOOD]), np.array([GOOD, GOOD])))
    with pytest.raises(InvalidScores, match="1 quality notes for 2"):
        check(block(GOOD, GOOD, quality=["too_short"]))
    with pytest.raises(InvalidScores, match="twice"):
        check(block(GOOD, GOOD, keys=[(1, 1), (1, 1)]))
