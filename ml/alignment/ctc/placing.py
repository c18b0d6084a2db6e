"""From a path through frames to words, Hangul blocks and phones with times and confidence. Needs no torch."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.alignment.aligner import Placed
from ml.alignment.ctc.hangul import is_block
from ml.alignment.ctc.spelling import STAR, Spelling
from ml.alignment.types import Phone, Syllable, Word

#: Pieces are cut generously, so that their first and last moments may hold a neighbour's voice.
EDGE_S = 0.3


@dataclass(frozen=True, slots=True)
class Trace:
    """Log-probabilities by frame, each [frames]: of the path, of the likeliest class and of blank.

    `states` [frames] say where the path is: 2 i + 1 at the text's token i, even between tokens.
    """

    states: NDArray[np.int64]
    scores: NDArray[np.float32]
    best: NDArray[np.float32]
    blanks: NDArray[np.float32]


@dataclass(slots=True)
class _Span:
    """Frames [start, end), as fractions where a star's are shared; `heard` are the log-probabilities of its tokens."""

    start: float
    end: float
    heard: list[NDArray[np.float32]]


def fit(trace: Trace, spelling: Spelling, frame_s: float) -> float:
    """How much the sound is like the text: 1 when nothing sounds likelier than the text, 0 when all else does.

    The likelihood of the text's path over that of the best path without any text, as the geometric mean per letter
    (goodness of pronunciation, Witt and Young 2000). Stars count neither way, nor does what is said at the very edges
    before and after the text.
    """
    stars = [2 * number + 1 for number, token in enumerate(spelling.tokens) if token.id == STAR]
    counted = ~np.isin(trace.states, stars)
    text = np.flatnonzero((trace.states > 0) & (trace.states < 2 * len(spelling.tokens)))
    edge = round(EDGE_S / frame_s)
    counted[: min(edge, int(text[0]))] = False
    counted[max(len(counted) - edge, int(text[-1]) + 1) :] = False
    lost = float((trace.scores[counted] - trace.best[counted]).sum())
    return float(np.exp(lost / spelling.letters))


def place(trace: Trace, spelling: Spelling, words: Sequence[str], frame_s: float, phonetic: bool) -> Placed:
    """The times of a piece's words; its phones from a phonetic vocabulary, and one syllable per Hangul block."""
    spans = _spans(trace, spelling)
    placed = tuple(
        Word(
            word,
            _time(spans[first].start, frame_s),
            _time(spans[last - 1].end, frame_s),
            _confidence(spans[first:last]),
        )
        for word, (first, last) in zip(words, spelling.words, strict=True)
    )
    # Letters are short peaks with blanks between them, but speech goes on until the next one begins.
    ends = [span.end for span in spans]
    for first, last in spelling.words:
        for unit in range(first, last - 1):
            ends[unit] = spans[unit + 1].start
    timed = [
        (unit.label, _time(span.start, frame_s), _time(end, frame_s))
        for unit, span, end in zip(spelling.units, spans, ends, strict=True)
    ]
    phones = tuple(Phone(*t) for t, unit in zip(timed, spelling.units, strict=True) if STAR not in unit.tokens)
    syllables = tuple(Syllable(*t) for t in timed if is_block(t[0]))
    return Placed(placed, phones if phonetic else None, syllables or None, fit(trace, spelling, frame_s))


def _time(frame: float, frame_s: float) -> float:
    return round(frame * frame_s, 3)


def _confidence(spans: Sequence[_Span]) -> float | None:
    """The mean posterior over the frames of a word's letters; None for one that could not be written."""
    heard = [scores for span in spans for scores in span.heard]
    return round(float(np.exp(np.concatenate(heard)).mean()), 3) if heard else None


def _spans(trace: Trace, spelling: Spelling) -> list[_Span]:
    """Where each unit is."""
    spans: list[_Span | None] = [None] * len(spelling.units)
    # Each token's frames are one run of its state.
    numbers = np.arange(len(spelling.tokens)) * 2 + 1
    starts = np.searchsorted(trace.states, numbers, side="left")
    stops = np.searchsorted(trace.states, numbers, side="right")
    for token, start, stop in zip(spelling.tokens, starts.tolist(), stops.tolist(), strict=True):
        count = token.last - token.first
        if not count:
            continue
        heard = [] if token.id == STAR else [trace.scores[start:stop]]
        if token.id == STAR:
            start, stop = _voiced(trace, start, stop)
        step = (stop - start) / count
        for place, unit in enumerate(range(token.first, token.last)):
            begin, end = start + place * step, start + (place + 1) * step
            known = spans[unit]
            if known is None:
                spans[unit] = _Span(begin, end, list(heard))
            else:
                known.end = end
                known.heard += heard
    assert all(span is not None for span in spans)
    return [span for span in spans if span is not None]


def _voiced(trace: Trace, start: int, stop: int) -> tuple[int, int]:
    """A star's frames without the silence at its edges, which costs it nothing; all when there is only silence."""
    sounding = np.flatnonzero(trace.blanks[start:stop] < trace.best[start:stop])
    if not len(sounding):
        return start, stop
    return start + int(sounding[0]), start + int(sounding[-1]) + 1
