"""Which channels of a recording to analyse: found while its samples pass, so that they need not be held."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ml.audio.decode import SILENT_PEAK

Mode = Literal["auto", "split", "mix"]

#: Channels whose samples (absolute correlation) and whose levels over time (correlation) are less alike than this carry
#: different voices. Two parties take turns: their levels go against each other. Two microphones before one voice
#: hear it at other phases, so that samples differ, but rise and fall together.
DIFFERENT_VOICES = 0.5
#: Samples that a level is taken over (0.1 s), and the level of silence.
_WINDOW, _SILENCE = 1_600, 1e-4


class ChannelChoice:
    """Peaks and likeness of channels, gathered block by block; the blocks' size leaves no trace."""

    def __init__(self) -> None:
        self._length = 0
        self._peak: NDArray[np.float64] = np.zeros(0)
        self._sum: NDArray[np.float64] = np.zeros(0)
        self._product: NDArray[np.float64] = np.zeros((0, 0))
        self._rest: NDArray[np.float64] = np.zeros((0, 0))
        self._levels: list[NDArray[np.float32]] = []

    def add(self, block: NDArray[np.float32]) -> None:
        """Take in a block [channels, n]."""
        if not self._length:
            count = len(block)
            self._peak, self._sum, self._product = np.zeros(count), np.zeros(count), np.zeros((count, count))
            self._rest = np.zeros((count, 0))
        exact = block.astype(np.float64)
        self._length += block.shape[1]
        self._peak = np.maximum(self._peak, np.abs(exact).max(axis=1))
        self._sum += exact.sum(axis=1)
        # Not `@`: for so small a product, waking the threads of a BLAS takes longer than the product.
        self._product += np.einsum("in,jn->ij", exact, exact)
        self._take_levels(exact)

    def chosen(self, mode: Mode) -> tuple[int, ...]:
        """The channels to analyse, each as a voice of its own; () means the mix of all.

        "split" takes each channel with a signal. "auto" splits two channels that carry different voices (live, and
        alike neither in their samples nor in their levels), takes the live one of a recording whose other channels are
        silent, and mixes everything else.
        """
        live = tuple(int(i) for i in np.flatnonzero(self._peak >= SILENT_PEAK))
        if mode == "mix" or len(self._peak) == 1:
            return ()
        if mode == "split" or len(live) == 1:
            return live
        if len(live) != 2:
            return ()
        alike = max(self._correlation(*live), self._together(*live))
        return live if alike <= DIFFERENT_VOICES else ()

    def _take_levels(self, block: NDArray[np.float64]) -> None:
        whole = np.concatenate([self._rest, block], axis=1)
        count = whole.shape[1] // _WINDOW
        self._rest = whole[:, count * _WINDOW :]
        if count:
            windows = whole[:, : count * _WINDOW].reshape(len(whole), count, _WINDOW)
            level = np.log10(np.maximum(np.sqrt(np.square(windows).mean(axis=2)), _SILENCE))
            self._levels.append(level.astype(np.float32))

    def _together(self, left: int, right: int) -> float:
        """Correlation of two channels' levels; 0 where there are too few to tell, or one does not change."""
        levels = np.concatenate(self._levels, axis=1).astype(np.float64) if self._levels else np.zeros((2, 0))
        if levels.shape[1] < 2 or not min(levels[left].std(), levels[right].std()) > 0:
            return 0.0
        return float(np.corrcoef(levels[left], levels[right])[0, 1])

    def _correlation(self, left: int, right: int) -> float:
        covariance = self._product - np.outer(self._sum, self._sum) / self._length
        power = float(np.sqrt(max(covariance[left, left], 0.0) * max(covariance[right, right], 0.0)))
        return abs(float(covariance[left, right])) / power if power else 1.0
