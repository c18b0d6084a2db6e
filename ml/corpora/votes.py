"""From raters' votes to a distribution over the canonical classes."""

from collections.abc import Iterable, Mapping, Sequence

from ml.corpora.types import AFFECT_RANGE
from ml.emotions import EMOTIONS


def shares(votes: Iterable[Sequence[str | None]]) -> tuple[float, ...] | None:
    """Share of each class [7] among the votes for these classes; None when nobody voted for one.

    Each rater has one vote, in equal parts for the classes that were named; a part for something else (None) is lost.
    """
    counts = dict.fromkeys(EMOTIONS, 0.0)
    for named in votes:
        for emotion in named:
            if emotion is not None:
                counts[emotion] += 1 / len(named)
    return normalised(counts)


def normalised(counts: Mapping[str, float]) -> tuple[float, ...] | None:
    """Counts by class as shares [7]; None when all are zero."""
    total = sum(counts.values())
    return tuple(counts.get(emotion, 0.0) / total for emotion in EMOTIONS) if total > 0 else None


def clamped(points: float) -> float:
    """A value of arousal or valence, brought into its range."""
    return min(max(points, AFFECT_RANGE[0]), AFFECT_RANGE[1])
