"""A text of any length placed in speech of any length, window by window, so that time and memory stay linear.

In each window some words are sought in more sound than they should need. Only the first part of what is found is kept,
up to a pause: there the search goes on with the next words, so that errors at a window's end do no harm. Where nothing
is found, text or sound is missing: the next words are sought further on in the sound, and later words at this place,
until an island of agreement is found (after the islands of Moreno et al. 1998, A recursive algorithm for the forced
alignment of very long audio segments).
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from ml.alignment.aligner import Aligner, NotAligned, Piece, Placed
from ml.alignment.excerpt import Excerpt, Read, take
from ml.alignment.moving import between, moved
from ml.alignment.speech_time import SpeechTime
from ml.alignment.types import Phone, Syllable, Word

#: Speech that a window's words should need, and how much more of it they are given.
EXPECTED_S, SLACK = 18.0, 1.4
#: The last window may hold all that is left when it is not longer.
LAST_S = 35.0
#: Sound before and after a window.
MARGIN_S = 0.2
#: A rest of speech after a word that holds no other.
REST_S = 0.15
#: Of the words found in a window so many are kept at most.
KEEP = 0.75
#: Words per second of speech: bounds of the first guess, and more than anybody says.
RATES, MAX_RATE = (1.5, 4.0), 7.0
#: A pause at which it is safe to go on.
PAUSE_S = 0.15
#: Words in a row whose confidence is below this share of the window's median are not where they were put.
STRAY_WORDS, STRAY_SHARE = 4, 0.4
#: When lost, so many words are sought at once, in this many times the speech they should need: in more, other speech
#: than theirs would let any words be put somewhere.
PROBE_WORDS, PROBE_SLACK = 10, 2.5
#: They are sought up to so many steps further on in the speech (each what they need), or later words at this place.
STEPS_ON, WORDS_LATER = 9, (12, 24, 36, 48, 72, 96, 120, 160, 200)
#: Of the ten the first may be here still and the others further on.
PROBE_OFFSET = 5
#: Probes that are handed to the aligner at once.
PROBES_TOGETHER = 4
#: Words must stand together: over so much more speech than expected at most, and with so much between two (s). A few
#: words can be put somewhere in any long stretch.
SPREAD, STRAY_GAP_S = 2.0, 3.0
#: Speech that may pass without a word found before the rest is given up; and at the very beginning.
MAX_LOST_S, MAX_LOST_AT_FIRST_S = 300.0, 90.0


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
        while self.word < len(self.words) and self.speech.between(self.at, self.speech.end) > REST_S:
            self.at = self.speech.next(self.at)
            if not any(self._advance(end, count) for end, count in self._windows()):
                self._find_again()
            if self.lost_s > (MAX_LOST_S if self.word else MAX_LOST_AT_FIRST_S):
                break
        return self.found

    def _windows(self) -> Iterator[tuple[float, int]]:
        """Ends of sound and counts of words to try from here, the most promising first."""
        left = len(self.words) - self.word
        rest_s = self.speech.between(self.at, self.speech.end)
        if rest_s <= LAST_S and left <= max(MAX_RATE * rest_s, 1):
            yield self.speech.end, left
        for expected_s in (EXPECTED_S, EXPECTED_S / 2):
            end = self.speech.later(self.at, expected_s * SLACK)
            yield end, min(left, math.ceil(self.rate * self.speech.between(self.at, end) / SLACK))

    def _advance(self, end: float, count: int) -> bool:
        """Seek so many words up to `end` and keep those that are surely right; False when there is none."""
        placed = self._place([(self.at, end, self.word, count)])[0]
        if placed is None:
            return False
        last = self.word + count == len(self.words) and end >= self.speech.end
        kept = _sure(placed.words, everything=last) if self._together(placed.words) else 0
        kept = self._before_gap(placed.words, kept)
        if kept:
            self._keep(placed, kept, count if kept == len(placed.words) else None)
        return kept > 0

    def _place(self, wanted: Sequence[tuple[float, float, int, int]]) -> list[Placed | None]:
        """Words (first, count) sought between two times, several at once, in the recording's times."""
        sayable = [count <= max(1.0, MAX_RATE * self.speech.between(at, end)) for at, end, _, count in wanted]
        heard = [self._hear(at, end) for (at, end, _, _), possible in zip(wanted, sayable, strict=True) if possible]
        spans = [
            self.words[word : word + n] for (_, _, word, n), possible in zip(wanted, sayable, strict=True) if possible
        ]
        pieces = [Piece(e.samples, tuple(words), self.language) for e, words in zip(heard, spans, strict=True)]
        results = iter(zip(heard, self.aligner.align(pieces) if pieces else (), strict=True))
        return [self._heard(*next(results)) if possible else None for possible in sayable]

    @staticmethod
    def _heard(excerpt: Excerpt, placed: Placed | NotAligned) -> Placed | None:
        return None if isinstance(placed, NotAligned) or not placed.words else moved(placed, excerpt.span)

    def _hear(self, at: float, end: float) -> Excerpt:
        # Never into the sound of the last word that was kept.
        return take(self.read, self.speech, max(self.found_until, at - MARGIN_S), end + MARGIN_S)

    def _keep(self, placed: Placed, kept: int, count: int | None) -> None:
        index = self.word
        strays = _strays(placed.words)
        for position, word in enumerate(placed.words[:kept]):
            while self.words[index] != word.text:
                index += 1
            self.found.words[index] = None if position in strays else word
            index += 1
        until = placed.words[kept - 1].end_s if kept < len(placed.words) else math.inf
        self.found.phones += between(placed.phones or (), 0.0, until)
        self.found.syllables += between(placed.syllables or (), 0.0, until)
        end = placed.words[kept - 1].end_s
        self.rate = float(np.clip((self.rate + kept / max(0.5, self.speech.between(self.at, end))) / 2, 1.0, MAX_RATE))
        self.word = index if count is None else self.word + count
        self.at, self.found_until, self.lost_s = end, end, 0.0

    def _find_again(self) -> None:
        """Move to where the text and the sound agree again, or on by all that was searched."""
        need_s = PROBE_WORDS / self.rate
        tries = [(0.0, self.word + words) for words in (0, *WORDS_LATER)]
        tries += [(step * need_s, self.word + words) for step in range(1, STEPS_ON) for words in (0, PROBE_OFFSET)]
        # What skips least comes first.
        tries.sort(key=lambda t: t[0] * self.rate + t[1] - self.word)
        tries = [(self.speech.exactly(self.at, on_s), word) for on_s, word in tries if word < len(self.words)]
        for first in range(0, len(tries), PROBES_TOGETHER):
            some = tries[first : first + PROBES_TOGETHER]
            for (_, word), placed in zip(some, self._probe(some), strict=True):
                if placed is not None:
                    self._bridge(word, placed.words[0].start_s)
                    self._keep(placed, _sure(placed.words, everything=False) or 1, None)
                    return
        ahead = self.speech.exactly(self.at, STEPS_ON * need_s)
        self.lost_s += self.speech.between(self.at, ahead)
        self.at = ahead

    def _probe(self, tries: Sequence[tuple[float, int]]) -> list[Placed | None]:
        """Each probe's words, None for those that are not found together."""
        wanted = []
        for at, word in tries:
            count = min(PROBE_WORDS, len(self.words) - word)
            wanted.append((at, self.speech.exactly(at, PROBE_SLACK * PROBE_WORDS / self.rate), word, count))
        placed = self._place(wanted)
        return [p if p is not None and self._together(p.words) else None for p in placed]

    def _together(self, words: Sequence[Word]) -> bool:
        return self.speech.between(words[0].start_s, words[-1].end_s) <= max(1.0, SPREAD * len(words) / self.rate)

    def _before_gap(self, words: Sequence[Word], kept: int) -> int:
        gaps = (i for i in range(1, kept) if self.speech.between(words[i - 1].end_s, words[i].start_s) > STRAY_GAP_S)
        return next(gaps, kept)

    def _bridge(self, word: int, begin: float) -> None:
        """Go on at a later word and time; the words just before them may be in the speech just before."""
        between_s = self.speech.between(self.at, begin - MARGIN_S)
        count = min(word - self.word, math.ceil(self.rate * between_s))
        placed = None
        while count > 1 and placed is None and between_s > 0.5:
            self.word = word - count
            placed = self._place([(self.at, begin - MARGIN_S, self.word, count)])[0]
            if placed is not None:
                self._keep(placed, len(placed.words), count)
            count //= 2
        self.lost_s += between_s if placed is None else 0.0
        self.word, self.at = word, max(self.found_until, begin - MARGIN_S)


def _strays(words: Sequence[Word]) -> set[int]:
    """Words in a row that the aligner put somewhere although they are not there."""
    confidence = np.array([0.5 if word.confidence is None else word.confidence for word in words])
    low = confidence < STRAY_SHARE * np.median(confidence)
    runs = (i for i in range(len(words) - STRAY_WORDS + 1) if low[i : i + STRAY_WORDS].all())
    return {i for first in runs for i in range(first, first + STRAY_WORDS)}


def _sure(words: Sequence[Word], *, everything: bool) -> int:
    """How many of a window's words can be kept: up to a pause, and to where confidence collapses."""
    strays = _strays(words)
    if everything and not strays:
        return len(words)
    sure = min([*strays, max(1, int(KEEP * len(words)))])
    for index in range(sure, sure // 2, -1):
        if index < len(words) and words[index].start_s - words[index - 1].end_s >= PAUSE_S:
            return index
    return sure
