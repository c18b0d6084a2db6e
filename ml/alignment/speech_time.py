"""A recording's time counted in speech: pauses and music take none of it."""

from collections.abc import Sequence

import numpy as np

from ml.audio.vad import Segment

#: A pause comes soon within this.
SOON_S = 5.0


class SpeechTime:
    """Speech segments in order, and how much speech lies between two times; all in seconds."""

    def __init__(self, segments: Sequence[Segment]) -> None:
        self.segments = list(segments)
        self._starts = np.array([start for start, _ in segments], float)
        self._ends = np.array([end for _, end in segments], float)
        self._spoken = np.concatenate(([0.0], np.cumsum(self._ends - self._starts)))

    @property
    def total(self) -> float:
        """All the speech."""
        return float(self._spoken[-1])

    @property
    def end(self) -> float:
        """Where the last speech ends."""
        return float(self._ends[-1]) if len(self._ends) else 0.0

    def until(self, at: float) -> float:
        """The speech before a time."""
        index = int(np.searchsorted(self._starts, at, side="right")) - 1
        if index < 0:
            return 0.0
        inside = min(at, float(self._ends[index])) - float(self._starts[index])
        return float(self._spoken[index]) + inside

    def between(self, start: float, end: float) -> float:
        """The speech between two times."""
        return max(0.0, self.until(end) - self.until(start))

    def within(self, start: float, end: float) -> list[Segment]:
        """The segments between two times, cut at them."""
        first = int(np.searchsorted(self._ends, start, side="right"))
        last = int(np.searchsorted(self._starts, end, side="left"))
        return [(max(start, a), min(end, b)) for a, b in self.segments[first:last]]

    def next(self, at: float) -> float:
        """Where speech goes on: the time itself within speech, else the next segment's start, else the end."""
        index = int(np.searchsorted(self._ends, at, side="right"))
        return max(at, float(self._starts[index])) if index < len(self._starts) else self.end

    def exactly(self, start: float, spoken: float) -> float:
        """When so much more speech than until `start` has been heard; the end when there is less."""
        wanted = self.until(start) + spoken
        index = int(np.searchsorted(self._spoken[1:], wanted - 1e-9))
        if index >= len(self._ends):
            return self.end
        return float(self._ends[index]) - (float(self._spoken[index + 1]) - wanted)

    def later(self, start: float, spoken: float) -> float:
        """The same, but at the next pause when one comes soon."""
        exact = self.exactly(start, spoken)
        index = int(np.searchsorted(self._ends, exact - 1e-9))
        pause = float(self._ends[index]) if index < len(self._ends) else self.end
        return pause if pause - exact <= SOON_S else exact
