"""Labels that contradict one another are noticed before anything is learned from them."""

import json
from dataclasses import asdict

import numpy as np
import pytest
from numpy.typing import NDArray

from ml.gate.labels import check_labels

PEOPLE, EACH, CLASSES = 12, 24, 4


def speech(hard: float, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.int64], list[str]]:
    """Features whose classes lie one unit apart, with noise of size `hard`, and an offset for each speaker."""
    rng = np.random.default_rng(seed)
    labels = np.tile(np.arange(CLASSES), PEOPLE * EACH // CLASSES)
    speakers = [f"p{n // EACH:02}" for n in range(len(labels))]
    centres = rng.normal(size=(CLASSES, 16))
    offsets = 3 * rng.normal(size=(PEOPLE, 16))
    who = np.arange(len(labels)) // EACH
    features = centres[labels] + offsets[who] + hard * rng.normal(size=(len(labels), 16))
    return features, labels, speakers


def flipped(labels: NDArray[np.int64], where: NDArray[np.bool_], share: float, seed: int = 1) -> NDArray[np.int64]:
    rng = np.random.default_rng(seed)
    wrong = where & (rng.random(len(labels)) < share)
    return np.where(wrong, (labels + rng.integers(1, CLASSES, len(labels))) % CLASSES, labels)


@pytest.mark.parametrize("hard", [0.5, 1.5, 2.5])
@pytest.mark.parametrize("seed", range(3))
def test_sound_labels_are_trusted_however_hard_the_speech_is(hard: float, seed: int) -> None:
    features, labels, speakers = speech(hard, seed)
    new = np.arange(len(labels)) >= len(labels) // 2
    assert not check_labels(features, labels, speakers, new).suspicious


@pytest.mark.parametrize("hard", [0.5, 1.5])
@pytest.mark.parametrize("seed", range(3))
def test_labels_of_which_three_in_ten_are_flipped_contradict_themselves(hard: float, seed: int) -> None:
    features, labels, speakers = speech(hard, seed)
    new = np.arange(len(labels)) >= len(labels) // 2
    found = check_labels(features, flipped(labels, new, 0.3, seed), speakers, new)
    assert found.contradicted is not None and found.trusted_contradicted is not None
    assert found.contradicted > found.trusted_contradicted + 0.1
    assert found.suspicious
    assert json.loads(json.dumps(asdict(found))) == asdict(found)


def test_a_handful_of_labels_is_not_judged() -> None:
    features, labels, speakers = speech(0.5)
    new = np.arange(len(labels)) < 10
    found = check_labels(features, labels, speakers, new)
    assert (found.contradicted, found.suspicious) == (None, False)
