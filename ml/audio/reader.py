"""A recording's samples by time, channel by channel, as alignment reads them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ml.audio.decode import SAMPLE_RATE, channel_samples, choose_channels, decode


class Audio:
    """What is analysed of a recording: one channel, several voices' channels, or the mix of all, at 16 kHz.

    `origins[i]` is the file's channel behind channel `i`, None for the mix.
    """

    def __init__(self, samples: NDArray[np.float32], origins: tuple[int | None, ...]) -> None:
        self._samples, self.origins = samples, origins

    @property
    def channels(self) -> int:
        """How many channels are analysed."""
        return len(self.origins)

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return int(self._samples.shape[1]) / SAMPLE_RATE

    def read(self, channel: int | None, start_s: float = 0.0, end_s: float | None = None) -> NDArray[np.float32]:
        """Samples [n] between two times, cut at the recording's ends; `channel` None is the mix of those analysed."""
        last = None if end_s is None else max(0, round(end_s * SAMPLE_RATE))
        piece = self._samples[:, max(0, round(start_s * SAMPLE_RATE)) : last]
        return channel_samples(piece, channel)


@contextmanager
def open_audio(path: Path, channels: Literal["auto", "split", "mix"] = "auto") -> Iterator[Audio]:
    """Decode a recording and choose its channels; raises what `decode` raises."""
    decoded = decode(path)
    chosen = choose_channels(decoded, channels)
    if chosen:
        yield Audio(decoded[list(chosen)], chosen)
    else:
        yield Audio(channel_samples(decoded, None)[None], (None,))
