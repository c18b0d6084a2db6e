"""What an aligner is: it takes pieces of speech with their words, many at once, and says when each word is spoken."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.alignment.types import Phone, Syllable, Word


@dataclass(frozen=True, slots=True)
class Piece:
    """Samples [n] at 16 kHz and the words (as written, see `tokens`) that are said in them."""

    samples: NDArray[np.float32]
    words: tuple[str, ...]
    language: str


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a piece's words are, in seconds from the piece's start.

    `words` are those of the piece in their order, without such as cannot be pronounced. `fit` in [0, 1] says how much
    the sound is like the text; below the aligner's own threshold it returns `NotAligned` instead.
    """

    words: tuple[Word, ...]
    phones: tuple[Phone, ...] | None = None
    syllables: tuple[Syllable, ...] | None = None
    fit: float = 1.0


class NotAligned(Exception):
    """The words cannot be found in the sound. Returned in the piece's place, not raised: its neighbours go on."""


Align = Callable[[Sequence[Piece]], list[Placed | NotAligned]]


@dataclass(frozen=True, slots=True)
class Aligner:
    """A named aligner. `languages` (ISO 639-1) are those it can align; None: any whose letters it knows."""

    name: str
    languages: frozenset[str] | None
    align: Align
    preload: Callable[[], None]

    def can(self, language: str | None) -> bool:
        """Whether text of this language can be aligned."""
        return self.languages is None or language in self.languages
