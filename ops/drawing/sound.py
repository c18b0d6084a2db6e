"""A stretch of sound reduced to as many columns as a picture has, however long it is."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.audio.decode import SAMPLE_RATE
from ml.audio.reader import Audio

#: Samples of one spectrum: 32 ms.
WINDOW = 512
#: Spectra that are averaged in one column at most; what lies between them in a wide column is not looked at.
SPECTRA = 4
#: Speech has little to show above it.
HIGHEST_HZ = 5000
#: So much is read at once, which bounds memory.
BLOCK_S = 60.0


@dataclass(frozen=True, slots=True)
class Sound:
    """Lowest and highest sample [columns] and power in dB [bins, columns] of the mix, from 0 Hz to `HIGHEST_HZ`."""

    low: NDArray[np.float32]
    high: NDArray[np.float32]
    power_db: NDArray[np.float32]


def columns_of(audio: Audio, start_s: float, end_s: float, columns: int) -> Sound:
    """Reduce what lies between two times; what lies behind the recording's end is silent."""
    step_s = (end_s - start_s) / columns
    at_once = max(1, int(BLOCK_S / step_s))
    parts = [
        _reduce(audio, start_s + first * step_s, step_s, min(at_once, columns - first))
        for first in range(0, columns, at_once)
    ]
    return Sound(
        np.concatenate([part.low for part in parts]),
        np.concatenate([part.high for part in parts]),
        np.concatenate([part.power_db for part in parts], axis=1),
    )


def peaks_of(blocks: Iterable[NDArray[np.float32]], step_s: float, columns: int) -> NDArray[np.float32]:
    """Lowest and highest sample [2, columns] of any channel in steps from 0 s on, one block at a time.

    Blocks are [channels, n] at `SAMPLE_RATE`, one after the other; what no block reaches is 0.
    """
    peaks = np.zeros((2, columns), dtype=np.float32)
    step, done = step_s * SAMPLE_RATE, 0
    for block in blocks:
        column = np.minimum(((done + np.arange(block.shape[1])) / step).astype(int), columns - 1)
        first = np.flatnonzero(np.diff(column, prepend=-1))
        at = column[first]
        peaks[0, at] = np.minimum(peaks[0, at], np.minimum.reduceat(block.min(axis=0), first))
        peaks[1, at] = np.maximum(peaks[1, at], np.maximum.reduceat(block.max(axis=0), first))
        done += block.shape[1]
    return peaks


def _reduce(audio: Audio, start_s: float, step_s: float, columns: int) -> Sound:
    half = WINDOW // 2
    length = round(columns * step_s * SAMPLE_RATE)
    first = round(start_s * SAMPLE_RATE)
    before = min(first, half)
    read = audio.read(None, (first - before) / SAMPLE_RATE, (first + length + half) / SAMPLE_RATE)
    samples = np.zeros(half + max(length, columns) + half, dtype=np.float32)
    room = samples[half - before :]
    room[: min(len(read), len(room))] = read[: len(room)]
    edges = half + np.linspace(0, max(length, columns), columns, endpoint=False).astype(int)
    spectra = int(np.clip(round(step_s / 0.01), 1, SPECTRA))
    centres = half + ((np.arange(columns * spectra) + 0.5) / spectra * step_s * SAMPLE_RATE).astype(int)
    windows = samples[np.minimum(centres, len(samples) - half)[:, None] + np.arange(-half, half)]
    power = np.square(np.abs(np.fft.rfft(windows * np.hanning(WINDOW).astype(np.float32))))
    bins = 1 + HIGHEST_HZ * WINDOW // SAMPLE_RATE
    mean = power[:, :bins].reshape(columns, spectra, bins).mean(axis=1)
    body = samples[: half + max(length, columns)]
    return Sound(
        np.minimum.reduceat(body, edges),
        np.maximum.reduceat(body, edges),
        (10 * np.log10(mean.T + 1e-10)).astype(np.float32),
    )
