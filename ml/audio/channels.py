"""Which channels of a recording to analyse: found while its samples pass, so that they need not be held."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ml.audio.decode import SILENT_PEAK

Mode = Literal["auto", "split", "mix"]

#: Channels that are less alike than this (absolute correlation) carry different voices.
DIFFERENT_VOICES = 0.5


class ChannelChoice:
    """Peaks and correlations of channels, gathered block by block."""

    def __init__(self) -> None:
        self._length = 0
        self._peak: NDArray[np.float64] = np.zeros(0)
        self._sum: NDArray[np.float64] = np.zeros(0)
        self._product: NDArray[np.float64] = np.zeros((0, 0))

    def add(self, block: NDArray[np.float32]) -> None:
        """Take in a block [channels, n]."""
        if not self._length:
            count = len(block)
            self._peak, self._sum, self._product = np.zeros(count), np.zeros(count), np.zeros((count, count))
        exact = block.astype(np.float64)
        self._length += block.shape[1]
        self._peak = np.maximum(self._peak, np.abs(exact).max(axis=1))
        self._sum += exact.sum(axis=1)
        # Not `@`: for so small a product, waking the threads of a BLAS takes longer than the product.
        self._product += np.einsum("in,jn->ij", exact, exact)

    def chosen(self, mode: Mode) -> tuple[int, ...]:
        """The channels to analyse, each as a voice of its own; () means the mix of all.

        "split" takes each channel with a signal. "auto" splits two channels that carry different voices (live and
        uncorrelated), takes the live one of a recording whose other channels are silent, and mixes everything else.
        """
        live = tuple(int(i) for i in np.flatnonzero(self._peak >= SILENT_PEAK))
        if mode == "mix" or len(self._peak) == 1:
            return ()
        if mode == "split" or len(live) == 1:
            return live
        return live if len(live) == 2 and self._correlation(*live) <= DIFFERENT_VOICES else ()

    def _correlation(self, left: int, right: int) -> float:
        covariance = self._product - np.outer(self._sum, self._sum) / self._length
        power = float(np.sqrt(max(covariance[left, left], 0.0) * max(covariance[right, right], 0.0)))
        return abs(float(covariance[left, right])) / power if power else 1.0
