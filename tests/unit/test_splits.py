"""Splits of corpora: nobody is in two parts, and everybody is tested once."""

from itertools import combinations

import numpy as np
import pytest

from ml.training.splits import SplitImpossible, folds, k_fold, leave_one_out

RNG = np.random.default_rng(3)
SPEAKERS = [f"speaker {i}" for i in RNG.integers(0, 12, size=240)]
LABELS = RNG.integers(0, 4, size=240)


@pytest.mark.parametrize("tests", [leave_one_out(SPEAKERS), k_fold(SPEAKERS, 5, seed=1)], ids=["one out", "five"])
def test_no_speaker_is_in_two_parts_and_everybody_is_tested_once(tests: dict[str, np.ndarray]) -> None:
    found = folds(tests, SPEAKERS, LABELS, seed=7)

    for fold in found:
        parts = [{SPEAKERS[i] for i in part} for part in (fold.train, fold.development, fold.test)]
        assert all(parts)
        assert not any(a & b for a, b in combinations(parts, 2))
        assert sorted(np.concatenate([fold.train, fold.development, fold.test])) == list(range(240))
    assert sorted(np.concatenate([fold.test for fold in found])) == list(range(240))


def test_folds_of_groups_are_about_equally_large() -> None:
    sizes = [len(test) for test in k_fold(SPEAKERS, 4, seed=1).values()]

    assert max(sizes) - min(sizes) <= max(SPEAKERS.count(speaker) for speaker in set(SPEAKERS))


def test_equal_seeds_give_equal_folds_and_others_do_not() -> None:
    def made(seed: int) -> list[list[int]]:
        return [f.development.tolist() for f in folds(k_fold(SPEAKERS, 4, seed), SPEAKERS, LABELS, seed=seed)]

    assert made(1) == made(1) != made(2)


def test_training_keeps_an_item_of_every_class() -> None:
    # Only "c" has class 1, so it is never the one that decides when to stop.
    speakers, labels = list("aabbccdd"), np.array([0, 0, 0, 0, 1, 0, 0, 0])

    for seed in range(10):
        fold = folds({"d": np.array([6, 7])}, speakers, labels, seed=seed)[0]
        assert 1 in labels[fold.train]


def test_what_cannot_be_split_is_said() -> None:
    with pytest.raises(SplitImpossible, match="3 folds cannot be made of 2"):
        k_fold(["a", "b", "a"], 3, seed=1)
    with pytest.raises(SplitImpossible, match="of one speaker"):
        k_fold(["a", "a"], 1, seed=1)
    with pytest.raises(SplitImpossible, match="two groups"):
        leave_one_out(["a", "a"])
    with pytest.raises(SplitImpossible, match="no speaker can be spared"):
        folds(leave_one_out(["a", "b"]), ["a", "b"], np.array([0, 0]), seed=1)


def test_without_development_everybody_else_trains() -> None:
    fold = folds(leave_one_out(["a", "b", "b"]), ["a", "b", "b"], np.zeros(3, np.int64), seed=1, development=False)[0]

    assert (fold.train.tolist(), fold.development.tolist(), fold.test.tolist()) == ([1, 2], [], [0])
