"""From the times of a piece to those of its recording, and the part of it that lies between two of them."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from ml.alignment.aligner import Placed
from ml.alignment.types import Phone, Syllable, Word

Span = tuple[float, float]
Sound = TypeVar("Sound", Phone, Syllable)


def moved(placed: Placed, span: Callable[[float, float], Span]) -> Placed:
    """What was placed in a piece, in the recording's time; `span` gives it for a start and an end in the piece."""
    return Placed(
        tuple(Word(w.text, *span(w.start_s, w.end_s), w.confidence) for w in placed.words),
        placed.phones and tuple(Phone(p.label, *span(p.start_s, p.end_s)) for p in placed.phones),
        placed.syllables and tuple(Syllable(s.label, *span(s.start_s, s.end_s)) for s in placed.syllables),
        placed.fit,
    )


def later(begin_s: float) -> Callable[[float, float], Span]:
    """The spans of a piece that begins at `begin_s`."""
    return lambda start, end: (round(start + begin_s, 3), round(end + begin_s, 3))


def between(sounds: Iterable[Sound], start_s: float, end_s: float) -> tuple[Sound, ...]:
    """The phones or syllables whose middle is between two times: cut apart, each goes to one side."""
    return tuple(sound for sound in sounds if start_s <= (sound.start_s + sound.end_s) / 2 < end_s)
