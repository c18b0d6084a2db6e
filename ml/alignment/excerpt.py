"""A stretch of a recording without what is surely no speech in it, and the way back to the recording's times."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.alignment.moving import Span
from ml.alignment.speech_time import SpeechTime

#: Longer stretches without speech are left out, but for this much beside the speech.
LONG_GAP_S, BESIDE_S = 2.0, 0.5
RATE = 16_000

Read = Callable[[float, float], NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Samples [n] at 16 kHz of several stretches in a row; where each begins: `inner` [k], `outer` [k]."""

    samples: NDArray[np.float32]
    inner: NDArray[np.float64]
    outer: NDArray[np.float64]

    def span(self, start_s: float, end_s: float) -> Span:
        """A span's times in the recording; one that runs over a cut ends there."""
        index = int(np.searchsorted(self.inner, (start_s + end_s) / 2, side="right")) - 1
        index = max(0, index)
        shift = float(self.outer[index] - self.inner[index])
        last = float(self.inner[index + 1]) if index + 1 < len(self.inner) else float("inf")
        return (
            round(max(start_s, float(self.inner[index])) + shift, 3),
            round(min(end_s, last) + shift, 3),
        )


def take(read: Read, speech: SpeechTime, start_s: float, end_s: float) -> Excerpt:
    """The speech between two times with the short pauses in it."""
    stretches: list[Span] = []
    for begin, end in speech.within(start_s, end_s):
        if stretches and begin - stretches[-1][1] <= LONG_GAP_S:
            stretches[-1] = (stretches[-1][0], end)
        else:
            stretches.append((begin, end))
    samples, inner, outer, at = [], [], [], 0.0
    for begin, end in stretches or [(start_s, end_s)]:
        first, last = max(start_s, begin - BESIDE_S), min(end_s, end + BESIDE_S)
        sound = read(first, last)
        samples.append(sound)
        inner.append(at)
        outer.append(first)
        at += len(sound) / RATE
    return Excerpt(np.concatenate(samples), np.array(inner), np.array(outer))
