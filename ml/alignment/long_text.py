"""A text of any length placed in speech of any length, window by window, so that time and memory stay linear.

In each window some words are sought in more sound than they should need. Only the first part of what is found is kept,
up to a pause: there the search goes on with the next words, so that errors at a window's end do no harm. Where nothing
is found, text or sound is missing: the next words are sought further on in the sound, and later words at this place,
until an island of agreement is found (after the islands of Moreno et al. 1998, A recursive algorithm for the forced
alignment of very long audio segments).
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ml.alignment.aligner import Aligner, NotAligned, Piece, Placed
from ml.alignment.moving import moved
from ml.alignment.speech_time import SpeechTime
from ml.alignment.types import Phone, Syllable, Word

#: A window's length: what its words should need, and how much more sound they are given.
EXPECTED_S, SLACK = 18.0, 1.4
#: A window is never longer, however much silence it holds.
MAX_WINDOW_S = 45.0
#: Sound before and after the window's speech.
MARGIN_S = 0.2
#: Of the words found in a window so many are kept at most.
KEEP = 0.75
#: Words per second of speech: bounds of the first guess, and more than anybody says.
RATES, MAX_RATE = (1.5, 4.0), 7.0
#: A pause at which it is safe to go on.
PAUSE_S = 0.15
#: Words in a row whose confidence is below this share of the window's median are not where they were put.
STRAY_WORDS, STRAY_SHARE = 4, 0.4
#: When lost: so many words are sought, this much further on in the sound (s), or these so many words later.
PROBE_WORDS, LATER_S, LATER_WORDS = 10, (0.0, 15.0, 30.0), (8, 20, 45, 100, 200)
#: A probe's words must stand together: so much longer than expected at most.
PROBE_SPREAD = 2.0
#: Speech that may pass without a word found before the rest is given up; and at the very beginning.
MAX_LOST_S, MAX_LOST_AT_FIRST_S = 300.0, 120.0

Read = Callable[[float, float], NDArray[np.float32]]


@dataclass(slots=True)
class Found:
    """Where the words are: one entry per word of the text, None for those that were not found; times in seconds."""

    words: list[Word | None]
    phones: list[Phone] = field(default_factory=list)
    syllables: list[Syllable] = field(default_factory=list)

    @property
    def share(self) -> float:
        """The share of the words that were found."""
        return sum(word is not None for word in self.words) / max(1, len(self.words))


def place_long(read: Read, speech: SpeechTime, words: Sequence[str], aligner: Aligner, language: str) -> Found:
    """Find where each of the words is said; `read` gives samples [n] at 16 kHz between two times (seconds)."""
    return _Search(read, speech, words, aligner, language).run()


@dataclass(slots=True)
class _Search:
    read: Read
    speech: SpeechTime
    words: Sequence[str]
    aligner: Aligner
    language: str
    found: Found = field(init=False)
    #: The next word, the time it is sought from, the end of the last word found, the speech that passed since, words
    #: per second of speech.
    word: int = 0
    at: float = 0.0
    found_until: float = 0.0
    lost_s: float = 0.0
    rate: float = 0.0

    def __post_init__(self) -> None:
        self.found = Found([None] * len(self.words))
        self.rate = float(np.clip(len(self.words) / max(1.0, self.speech.total), *RATES))

    def run(self) -> Found:
        while self.word < len(self.words) and self.speech.between(self.at, self.speech.end) > 0.05:
            self.at = self.speech.next(self.at)
            if not any(self._advance(end, count) for end, count in self._windows()):
                self._find_again()
            if self.lost_s > (MAX_LOST_S if self.found.share else MAX_LOST_AT_FIRST_S):
                break
        return self.found

    def _windows(self) -> Iterator[tuple[float, int]]:
        """Ends of sound and counts of words to try from here, the most promising first."""
        left = len(self.words) - self.word
        rest_s = self.speech.between(self.at, self.speech.end)
        if self.speech.end - self.at <= MAX_WINDOW_S and left <= max(MAX_RATE * rest_s, 1):
            yield self.speech.end, left
        end = min(self.speech.after(self.at, EXPECTED_S * SLACK), self.at + MAX_WINDOW_S)
        count = min(left, math.ceil(self.rate * self.speech.between(self.at, end) / SLACK))
        while count:
            yield end, count
            count = count // 2 if count > PROBE_WORDS // 2 else 0

    def _advance(self, end: float, count: int) -> bool:
        """Seek so many words up to `end` and keep those that are surely right; False when there is none."""
        (placed,) = self.aligner.align([self._piece(self.at, end, self.word, count)])
        if isinstance(placed, NotAligned):
            return False
        placed = moved(placed, self._begin(self.at))
        last = self.word + count == len(self.words) and end >= self.speech.end
        kept = _sure(placed.words, everything=last)
        if not kept:
            return False
        self._keep(placed, kept, count if kept == len(placed.words) else None)
        return True

    def _keep(self, placed: Placed, kept: int, count: int | None) -> None:
        index = self.word
        for word in placed.words[:kept]:
            while self.words[index] != word.text:
                index += 1
            self.found.words[index] = word
            index += 1
        until = placed.words[kept - 1].end_s if kept < len(placed.words) else math.inf
        self.found.phones += [p for p in placed.phones or () if (p.start_s + p.end_s) / 2 < until]
        self.found.syllables += [s for s in placed.syllables or () if (s.start_s + s.end_s) / 2 < until]
        end = placed.words[kept - 1].end_s
        self.rate = float(np.clip((self.rate + kept / max(0.5, self.speech.between(self.at, end))) / 2, 1.0, MAX_RATE))
        self.word = index if count is None else self.word + count
        self.at, self.found_until, self.lost_s = end, end, 0.0

    def _find_again(self) -> None:
        """Move to where the text and the sound agree again, or on by one probe's reach."""
        for later_s in LATER_S:
            at = self.speech.after(self.at, later_s) if later_s else self.at
            starts = [self.word, *(self.word + n for n in LATER_WORDS)] if not later_s else [self.word]
            tries = [(at, word) for word in starts if word < len(self.words)]
            for (begin, word), placed in zip(tries, self._probe(tries), strict=True):
                # Nothing moved: the same window would fail again.
                if placed is not None and (word, placed) > (self.word, self.at + 1.0):
                    self.lost_s += self.speech.between(self.at, placed)
                    self.word, self.at = word, max(begin, placed - MARGIN_S)
                    return
        ahead = self.speech.after(self.at, LATER_S[-1] + LATER_S[1])
        self.lost_s += self.speech.between(self.at, ahead)
        self.at = ahead

    def _probe(self, tries: Sequence[tuple[float, int]]) -> list[float | None]:
        """Where each probe begins, None for those that are not found."""
        spread_s = PROBE_WORDS / self.rate * PROBE_SPREAD
        pieces = []
        for at, word in tries:
            end = min(self.speech.after(at, EXPECTED_S), at + MAX_WINDOW_S)
            pieces.append(self._piece(at, end, word, min(PROBE_WORDS, len(self.words) - word)))
        begins: list[float | None] = []
        for (at, _), placed in zip(tries, self.aligner.align(pieces), strict=True):
            begins.append(None)
            if not isinstance(placed, NotAligned) and placed.words:
                first, last = placed.words[0].start_s, placed.words[-1].end_s
                if self.speech.between(first + self._begin(at), last + self._begin(at)) <= spread_s:
                    begins[-1] = first + self._begin(at)
        return begins

    def _piece(self, at: float, end: float, word: int, count: int) -> Piece:
        return Piece(self.read(self._begin(at), end + MARGIN_S), tuple(self.words[word : word + count]), self.language)

    def _begin(self, at: float) -> float:
        # Never into the sound of the last word that was kept.
        return max(self.found_until, at - MARGIN_S)


def _sure(words: Sequence[Word], *, everything: bool) -> int:
    """How many of a window's words can be kept: up to a pause, and to where confidence collapses."""
    confidence = np.array([0.5 if word.confidence is None else word.confidence for word in words])
    low = confidence < STRAY_SHARE * np.median(confidence)
    runs = [i for i in range(len(words) - STRAY_WORDS + 1) if low[i : i + STRAY_WORDS].all()]
    sure = runs[0] if runs else len(words)
    if everything and not runs:
        return sure
    sure = min(sure, max(1, int(KEEP * len(words)))) if not runs or sure else 0
    for index in range(sure, sure // 2, -1):
        if index < len(words) and words[index].start_s - words[index - 1].end_s >= PAUSE_S:
            return index
    return sure
