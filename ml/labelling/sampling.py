"""Which utterances are worth a person's time: uncertain, unlike each other, from all speakers and classes.

`uncertain_diverse` takes, again and again, the utterance with the largest product of uncertainty and distance to the
nearest one taken: the greedy k-center of core-set selection (Sener and Savarese 2018, section 4.2) with distances
weighted by uncertainty, as BADGE (Ash et al. 2020, section 3) weights its gradient embeddings; where all are equally
certain it is core-set selection, where all are equally far from each other it is uncertainty sampling. Of speakers, and
then of predicted classes, those go first of which least was taken, so that loud people and rare classes get their turn.

Distances are over what the database has anyway: square roots of the fused probabilities (Hellinger distance), the
speaker's voice vector, and the logarithm of the duration; each part scaled to have mean square 1 around its mean, and
halved for the duration. The models' own features would be better and are not kept.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Strategy = Literal["uncertain-diverse", "random"]
_DURATION_WEIGHT = 0.5


@dataclass(frozen=True, slots=True)
class Pool:
    """N utterances to choose from. `probabilities` are [N, 7], `voices` [N, 256] (zeros: unknown), `seconds` [N]."""

    probabilities: NDArray[np.float32]
    voices: NDArray[np.float32]
    seconds: NDArray[np.float32]
    speakers: Sequence[Hashable]
    predicted: Sequence[str | None]


def uncertainty(probabilities: NDArray[np.float32]) -> NDArray[np.float64]:
    """Entropy of each row [N, K], from 0 (certain) to 1 (all classes alike)."""
    p = np.clip(probabilities.astype(np.float64), 1e-12, 1.0)
    return np.asarray(-(p * np.log(p)).sum(axis=1) / np.log(p.shape[1]))


def choose(pool: Pool, count: int, *, strategy: Strategy = "uncertain-diverse", seed: int = 0) -> list[int]:
    """Places of at most `count` utterances, most wanted first; the same for the same pool and seed.

    "random" draws without regard to anything: what a hold-out set needs, whose errors must be those of the archive.
    """
    order = np.random.default_rng(seed).permutation(len(pool.speakers))
    if strategy == "random":
        return [int(place) for place in order[:count]]
    # The seed decides between equals only: among permuted candidates, the first one wins.
    features = _features(pool)[order]
    weight = uncertainty(pool.probabilities)[order] + 1e-6
    speakers, classes = _numbers([pool.speakers[i] for i in order]), _numbers([pool.predicted[i] for i in order])
    taken_speakers, taken_classes = np.zeros(speakers.max(initial=0) + 1), np.zeros(classes.max(initial=0) + 1)
    nearest = np.full(len(order), np.inf)
    free = np.ones(len(order), dtype=bool)
    chosen: list[int] = []
    while len(chosen) < min(count, len(order)):
        allowed = _least_taken(free, speakers, taken_speakers)
        allowed = _least_taken(allowed, classes, taken_classes)
        # Before anything is taken all are equally far.
        worth = np.where(allowed, weight * np.where(np.isinf(nearest), 1.0, nearest), -1.0)
        place = int(worth.argmax())
        free[place] = False
        taken_speakers[speakers[place]] += 1
        taken_classes[classes[place]] += 1
        nearest = np.minimum(nearest, np.linalg.norm(features - features[place], axis=1))
        chosen.append(int(order[place]))
    return chosen


def _least_taken(allowed: NDArray[np.bool_], group: NDArray[np.int64], taken: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Those allowed whose group has been taken from least often."""
    counts = np.where(allowed, taken[group], np.inf)
    return np.asarray(allowed & (counts == counts.min()))


def _numbers(names: Sequence[Hashable]) -> NDArray[np.int64]:
    known = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return np.array([known[name] for name in names], dtype=np.int64)


def _features(pool: Pool) -> NDArray[np.float64]:
    parts = (
        np.sqrt(np.clip(pool.probabilities, 0.0, 1.0)),
        pool.voices,
        np.log(np.maximum(pool.seconds, 0.1))[:, None],
    )
    weights = (1.0, 1.0, _DURATION_WEIGHT)
    return np.concatenate([weight * _scaled(part) for part, weight in zip(parts, weights, strict=True)], axis=1)


def _scaled(part: NDArray[np.float32]) -> NDArray[np.float64]:
    """Around the mean, with rows of mean square length 1; zeros where nothing differs."""
    centred = part.astype(np.float64) - part.mean(axis=0)
    length = float(np.sqrt((centred**2).sum(axis=1).mean()))
    return np.asarray(centred / length if length > 1e-9 else centred * 0.0)
