"""Speech and an aligner for tests of searching: every word is a tone of its own level, and the aligner reads levels."""

import difflib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ml.alignment.aligner import Aligner, NotAligned, Piece, Placed
from ml.alignment.types import Phone, Word

RATE = 16_000
WORD_S = 0.3


class Script:
    """Sound written word by word; `said` are the words with their times, `segments` where speech is."""

    def __init__(self) -> None:
        self._parts: list[NDArray[np.float32]] = []
        self._levels: dict[str, float] = {}
        self._at = 0
        self.said: list[tuple[str, float, float]] = []
        self.segments: list[tuple[float, float]] = []
        self.pieces: list[tuple[int, float]] = []

    def say(self, words: Sequence[str], pause_s: float = 0.4) -> None:
        """Speech, and a pause behind it."""
        begin = self._at / RATE
        for word in words:
            self.said.append((word, self._at / RATE, self._at / RATE + WORD_S))
            self._add(np.full(int(WORD_S * RATE), self._level(word), np.float32))
        if words:
            self.segments.append((begin, self._at / RATE))
        self.rest(pause_s)

    def rest(self, seconds: float) -> None:
        """Silence."""
        self._add(np.zeros(int(seconds * RATE), np.float32))

    def read(self, start_s: float, end_s: float) -> NDArray[np.float32]:
        """Samples between two times."""
        sound = getattr(self, "_sound", None)
        if sound is None or len(sound) != self._at:
            sound = self._sound = np.concatenate(self._parts)
        return sound[max(0, round(start_s * RATE)) : max(0, round(end_s * RATE))]

    @property
    def aligner(self) -> Aligner:
        """Places the words it hears; refuses when it hears less than four fifths of them."""
        return Aligner("script", frozenset({"en"}), lambda pieces: [self._align(p) for p in pieces], lambda: None)

    def _level(self, word: str) -> float:
        return self._levels.setdefault(word, (len(self._levels) + 1) / 20_000)

    def _add(self, part: NDArray[np.float32]) -> None:
        self._parts.append(part)
        self._at += len(part)

    def _align(self, piece: Piece) -> Placed | NotAligned:
        self.pieces.append((len(piece.words), len(piece.samples) / RATE))
        names = {round(level * 20_000): word for word, level in self._levels.items()}
        coarse = np.round(piece.samples[:: RATE // 100].astype(float) * 20_000).astype(int)
        cuts = np.flatnonzero(np.diff(coarse)) + 1
        heard = [
            (names[int(coarse[a])], a / 100, b / 100)
            for a, b in zip([0, *cuts], [*cuts, len(coarse)], strict=True)
            if coarse[a] and (b - a) >= 15
        ]
        blocks = difflib.SequenceMatcher(None, piece.words, [word for word, _, _ in heard], autojunk=False)
        found = {b.a + i: heard[b.b + i] for b in blocks.get_matching_blocks() for i in range(b.size)}
        if len(found) < 0.8 * len(piece.words):
            return NotAligned("not heard")
        words: list[Word] = []
        for index, text in enumerate(piece.words):
            at = words[-1].end_s if words else 0.0
            _, start, end = found.get(index, (text, at, at + 0.01))
            words.append(Word(text, start, end, 0.9 if index in found else 0.05))
        return Placed(tuple(words), tuple(Phone(w.text.upper(), w.start_s, w.end_s) for w in words))
