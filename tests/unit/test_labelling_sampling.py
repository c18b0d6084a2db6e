"""Which utterances are proposed: unsure, unlike each other, from everybody, and the same ones again."""

from collections import Counter

import numpy as np

from ml.emotions import EMOTIONS
from ml.features.speaker import SIZE
from ml.labelling.sampling import Pool, choose, uncertainty


def pool(count: int = 120, speakers: int = 6, seed: int = 0) -> Pool:
    """Speakers with a voice each; the first speaker has most of the utterances."""
    rng = np.random.default_rng(seed)
    who = [0 if place % 2 else place // 2 % speakers for place in range(count)]
    voices = rng.normal(size=(speakers, SIZE))
    probabilities = rng.dirichlet(np.full(len(EMOTIONS), 0.3), size=count).astype(np.float32)
    return Pool(
        probabilities=probabilities,
        voices=voices[who].astype(np.float32),
        seconds=rng.uniform(1, 10, size=count).astype(np.float32),
        speakers=who,
        predicted=[EMOTIONS[place] for place in probabilities.argmax(axis=1)],
    )


def test_entropy_reaches_from_certain_to_all_alike() -> None:
    rows = np.array([[1, 0, 0, 0, 0, 0, 0], [1 / 7] * 7, [0.5, 0.5, 0, 0, 0, 0, 0]], np.float32)

    found = uncertainty(rows)

    assert np.allclose(found, [0.0, 1.0, np.log(2) / np.log(7)], atol=1e-6)


def test_every_speaker_gets_the_same_share_and_classes_are_balanced() -> None:
    given = pool()

    chosen = choose(given, 36)

    assert len(set(chosen)) == 36
    assert set(Counter(given.speakers[place] for place in chosen).values()) == {6}
    classes = Counter(given.predicted[place] for place in chosen)
    assert max(classes.values()) - min(classes.values()) <= 3


def test_of_equals_the_unsure_are_taken_and_twins_are_not() -> None:
    # Given one speaker and class: two sure ones, an unsure one and its twin, and one that is less unsure but different
    probabilities = np.array(
        [
            [0.98, 0.02, 0, 0, 0, 0, 0],
            [0.97, 0.03, 0, 0, 0, 0, 0],
            [0.4, 0.3, 0.3, 0, 0, 0, 0],
            [0.4, 0.3, 0.3, 0, 0, 0, 0],
            [0.5, 0, 0, 0, 0.1, 0.2, 0.2],
        ],
        np.float32,
    )
    given = Pool(probabilities, np.zeros((5, SIZE), np.float32), np.full(5, 3.0, np.float32), [1] * 5, ["angry"] * 5)

    chosen = choose(given, 2)

    assert 4 in chosen
    assert len(set(chosen) & {2, 3}) == 1


def test_proposed_utterances_are_unsure_and_spread() -> None:
    given = pool(400, seed=3)

    proposed, by_lot = choose(given, 60), choose(given, 60, strategy="random")

    unsure = uncertainty(given.probabilities)
    assert unsure[proposed].mean() > unsure[by_lot].mean() + 0.1
    assert unsure[proposed].mean() > unsure.mean() + 0.1


def test_the_seed_decides_and_more_than_there_are_is_all() -> None:
    given = pool(30)

    assert choose(given, 10, seed=1) == choose(given, 10, seed=1)
    assert choose(given, 10, strategy="random", seed=1) != choose(given, 10, strategy="random", seed=2)
    assert sorted(choose(given, 99)) == list(range(30))
