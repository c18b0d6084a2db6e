"""How far an aligner's boundaries are from those a person placed."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ml.alignment.aligner import Aligner, NotAligned, Piece, Placed
from ml.alignment.phones import folded
from ops.bench.alignment.reference import Reference

#: Within these, in milliseconds, a boundary counts as right.
WITHIN_MS = (20, 30, 50, 100)


@dataclass(slots=True)
class Errors:
    """Distances between boundaries, in seconds; `missed` words or phones have no counterpart."""

    distances: list[float] = field(default_factory=list)
    missed: int = 0

    def within(self, ms: int) -> float:
        """The share of boundaries that are at most so far off."""
        return float(np.mean(np.abs(self.distances) <= ms / 1000 + 1e-9)) if self.distances else 0.0

    def summary(self) -> dict[str, float]:
        """Median and mean absolute distance and mean signed one in ms, shares within each limit, and counts."""
        off = np.array(self.distances or [0.0]) * 1000
        return {
            "n": len(self.distances),
            "missed": self.missed,
            "median_ms": round(float(np.median(np.abs(off))), 1),
            "mean_ms": round(float(np.mean(np.abs(off))), 1),
            "bias_ms": round(float(np.mean(off)), 1),
            **{f"within_{ms}": round(self.within(ms), 4) for ms in WITHIN_MS},
        }


@dataclass(slots=True)
class Boundaries:
    """Both boundaries of every word, the onset of every phone that agrees, and utterances without an alignment."""

    words: Errors = field(default_factory=Errors)
    phones: Errors = field(default_factory=Errors)
    utterances: int = 0
    not_aligned: int = 0


def measure_boundaries(aligner: Aligner, references: Sequence[Reference]) -> Boundaries:
    """Align every reference's words as one piece each and compare."""
    result = Boundaries(utterances=len(references))
    pieces = [Piece(reference.samples, reference.written, "en") for reference in references]
    for reference, placed in zip(references, aligner.align(pieces), strict=True):
        if isinstance(placed, NotAligned):
            result.not_aligned += 1
        else:
            compare(reference, placed, result)
    return result


def compare(reference: Reference, placed: Placed, result: Boundaries) -> None:
    """Add one utterance's distances; words and phones are matched in order, by equal labels."""
    pairs = match([_plain(w.text) for w in reference.words], [_plain(w.text) for w in placed.words])
    result.words.missed += len(reference.words) - len(pairs)
    for i, j in pairs:
        result.words.distances.append(placed.words[j].start_s - reference.words[i].start_s)
        result.words.distances.append(placed.words[j].end_s - reference.words[i].end_s)
    said = folded(placed.phones or ())
    agreeing = match([p.label for p in reference.phones], [p.label for p in said])
    result.phones.missed += len(reference.phones) - len(agreeing)
    for i, j in agreeing:
        result.phones.distances.append(said[j].start_s - reference.phones[i].start_s)


def match(one: Sequence[str], other: Sequence[str]) -> list[tuple[int, int]]:
    """Pairs of equal labels on the cheapest way from one sequence to the other (Levenshtein), in order."""
    cost = np.zeros((len(one) + 1, len(other) + 1), int)
    cost[:, 0], cost[0, :] = range(len(one) + 1), range(len(other) + 1)
    for i, a in enumerate(one, start=1):
        for j, b in enumerate(other, start=1):
            cost[i, j] = min(cost[i - 1, j - 1] + (a != b), cost[i - 1, j] + 1, cost[i, j - 1] + 1)
    pairs = []
    i, j = len(one), len(other)
    while i and j:
        if cost[i, j] == cost[i - 1, j - 1] + (one[i - 1] != other[j - 1]):
            i, j = i - 1, j - 1
            if one[i] == other[j]:
                pairs.append((i, j))
        elif cost[i, j] == cost[i - 1, j] + 1:
            i -= 1
        else:
            j -= 1
    return pairs[::-1]


def _plain(word: str) -> str:
    return "".join(c for c in word.lower() if c.isalnum())


def measure_mismatch(aligner: Aligner, references: Sequence[Reference]) -> tuple[float, float]:
    """Shares of utterances refused: with the text of another utterance, and with their own.

    The other text is that of the next utterance with other words, so that each is as long as any.
    """
    other = []
    for index, reference in enumerate(references):
        order = (references[(index + step) % len(references)] for step in range(1, len(references)))
        text = next((r.written for r in order if not set(r.written) & set(reference.written) - _COMMON), ())
        other.append(Piece(reference.samples, text, "en"))
    own = [Piece(reference.samples, reference.written, "en") for reference in references]
    return (_refused(aligner, [piece for piece in other if piece.words]), _refused(aligner, own))


#: Words that two unrelated sentences may share.
_COMMON = frozenset(
    ("a", "an", "and", "are", "as", "at", "by", "for", "from", "he", "her", "his", "i", "in", "is", "it", "of", "on",
     "or", "she", "that", "the", "they", "to", "was", "with")
)  # fmt: skip


def _refused(aligner: Aligner, pieces: Sequence[Piece]) -> float:
    placed = aligner.align(pieces)
    return sum(isinstance(item, NotAligned) for item in placed) / max(1, len(placed))
