"""From the times of a piece to those of its recording."""

from ml.alignment.aligner import Placed
from ml.alignment.types import Phone, Syllable, Word


def moved(placed: Placed, begin_s: float) -> Placed:
    """What was placed in a piece that begins at `begin_s`, in the recording's time."""

    def at(value: float) -> float:
        return round(value + begin_s, 3)

    return Placed(
        tuple(Word(w.text, at(w.start_s), at(w.end_s), w.confidence) for w in placed.words),
        placed.phones and tuple(Phone(p.label, at(p.start_s), at(p.end_s)) for p in placed.phones),
        placed.syllables and tuple(Syllable(s.label, at(s.start_s), at(s.end_s)) for s in placed.syllables),
        placed.fit,
    )
