"""Who trains, who decides when to stop, who is tested: always different people.

Utterances of one speaker resemble each other, so a split that divides them measures memory. Every function here moves
whole groups: sessions, speakers or dialogues.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.errors import TenorError

Indices = NDArray[np.int64]
#: Share of the training items that decides when to stop, unless groups are too few for it.
DEVELOPMENT = 0.15


class SplitImpossible(TenorError):
    """There are not enough speakers, sessions or dialogues for the split that was asked for."""

    code = "split_impossible"
    hint = "Ask for fewer --folds, or use a corpus with more speakers."


@dataclass(frozen=True, slots=True)
class Fold:
    """Positions of the items of one fold; no group is in two of the three."""

    name: str
    train: Indices
    development: Indices
    test: Indices


def leave_one_out(groups: Sequence[str]) -> dict[str, Indices]:
    """One test set per group (session or speaker), by its name."""
    own = np.asarray(groups)
    names = sorted(set(groups))
    if len(names) < 2:
        raise SplitImpossible(f"leaving one out needs two groups, there is {len(names)}")
    return {name: np.flatnonzero(own == name) for name in names}


def k_fold(groups: Sequence[str], k: int, seed: int) -> dict[str, Indices]:
    """k test sets of whole groups, about equally large: the largest groups first, each to the smallest set."""
    names, sizes = np.unique(np.asarray(groups), return_counts=True)
    if len(names) < 2:
        raise SplitImpossible(
            "everything is of one speaker, and who is tested must not be who was learned from",
            hint="Use a corpus with more speakers; csv has them in its column speaker.",
        )
    if not 2 <= k <= len(names):
        raise SplitImpossible(f"{k} folds cannot be made of {len(names)} groups")
    order = np.random.default_rng(seed).permutation(len(names))
    order = order[np.argsort(-sizes[order], kind="stable")]
    held = np.zeros(k, dtype=np.int64)
    where: dict[str, int] = {}
    for index in order:
        smallest = int(held.argmin())
        where[str(names[index])] = smallest
        held[smallest] += sizes[index]
    owners = np.asarray([where[group] for group in groups])
    return {f"fold-{number + 1}": np.flatnonzero(owners == number) for number in range(k)}


def development_set(
    candidates: Indices,
    groups: Sequence[str],
    labels: NDArray[np.int64],
    *,
    seed: int,
    share: float = DEVELOPMENT,
) -> tuple[Indices, Indices]:
    """Split training candidates into (train, development) by whole groups drawn at random.

    A group is only taken as long as every class keeps an item to train on. Raises `SplitImpossible` when none can be.
    """
    own = np.asarray(groups)[candidates]
    names = np.random.default_rng(seed).permutation(np.unique(own))
    taken = np.zeros(len(candidates), dtype=bool)
    classes = len(np.unique(labels[candidates]))
    for name in names:
        if taken.sum() >= share * len(candidates):
            break
        wider = taken | (own == name)
        if len(np.unique(labels[candidates[~wider]])) == classes:
            taken = wider
    if not taken.any():
        raise SplitImpossible("no speaker can be spared from training to decide when to stop")
    return candidates[~taken], candidates[taken]


def folds(
    tests: dict[str, Indices],
    groups: Sequence[str],
    labels: NDArray[np.int64],
    *,
    seed: int,
    development: bool = True,
) -> list[Fold]:
    """Complete folds of test sets: all other items train, some of them decide when to stop if `development`.

    `groups` are those that must not be divided between training and development (speakers, or dialogues of texts).
    """
    everything = np.arange(len(groups))
    found = []
    for number, (name, test) in enumerate(tests.items()):
        train, held = np.setdiff1d(everything, test), np.zeros(0, dtype=np.int64)
        if development:
            train, held = development_set(train, groups, labels, seed=seed + number)
        found.append(Fold(name, train, held, test))
    return found
