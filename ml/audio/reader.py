"""A recording's samples by time, channel by channel, as alignment reads them.

A recording is decoded once. Short ones stay in memory; long ones lie in a temporary file without a name (in TMPDIR), so
that half a day needs no more memory than some minutes, and nothing is left behind by a process that is killed.
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import SpooledTemporaryFile, gettempdir
from typing import IO

import numpy as np
from numpy.typing import NDArray

from ml.audio.channels import ChannelChoice, Mode
from ml.audio.decode import SAMPLE_RATE, stream
from ml.audio.errors import NoTemporarySpace

#: Samples that stay in memory, in bytes: 17 minutes of one channel.
IN_MEMORY_BYTES = 64 * 2**20
_NO_SPACE = {errno.ENOSPC, errno.EDQUOT}


class Audio:
    """What is analysed of a recording: one channel, several voices' channels, or the mix of all, at 16 kHz.

    `origins[i]` is the file's channel behind channel `i`, None for the mix.
    """

    def __init__(self, store: IO[bytes], width: int, length: int, origins: tuple[int | None, ...]) -> None:
        """`store` holds `length` times `width` samples, float32, the channels of one instant side by side."""
        self._store, self._width, self._length, self.origins = store, width, length, origins

    @property
    def channels(self) -> int:
        """How many channels are analysed."""
        return len(self.origins)

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self._length / SAMPLE_RATE

    def read(self, channel: int | None, start_s: float = 0.0, end_s: float | None = None) -> NDArray[np.float32]:
        """Samples [n] between two times, cut at the recording's ends; `channel` None is the mix of those analysed."""
        first = max(0, round(start_s * SAMPLE_RATE))
        return self._between(channel, first, self._length if end_s is None else max(0, round(end_s * SAMPLE_RATE)))

    def blocks(self, channel: int | None, size: int) -> Iterator[NDArray[np.float32]]:
        """The whole recording in blocks of `size` samples; the last one may be shorter."""
        for first in range(0, self._length, size):
            yield self._between(channel, first, first + size)

    def _between(self, channel: int | None, first: int, last: int) -> NDArray[np.float32]:
        count = max(0, min(last, self._length) - first)
        self._store.seek(4 * self._width * first)
        content = self._store.read(4 * self._width * count)
        samples = np.frombuffer(content, np.float32).reshape(count, self._width).T
        wanted = self.origins if channel is None else (self.origins[channel],)
        if wanted != (None,):
            samples = samples[[origin for origin in wanted if origin is not None]]
        return np.array(samples[0]) if len(samples) == 1 else samples.mean(axis=0)


@contextmanager
def open_audio(path: Path, channels: Mode = "auto", *, in_memory_bytes: int = IN_MEMORY_BYTES) -> Iterator[Audio]:
    """Decode a recording and choose its channels; raises what `stream` raises, and `NoTemporarySpace`."""
    # Closed below: on a full disk that fails too, over samples that nobody needs any more.
    store = SpooledTemporaryFile(max_size=in_memory_bytes, prefix="tenor-audio-")  # noqa: SIM115
    try:
        with _full_disk_named():
            audio = _filled(store, path, channels)
        yield audio
    finally:
        with suppress(OSError):
            store.close()


def _filled(store: IO[bytes], path: Path, channels: Mode) -> Audio:
    choice = ChannelChoice()
    width = length = 0
    for block in stream(path):
        choice.add(block)
        kept = block.mean(axis=0, keepdims=True) if channels == "mix" else block
        store.write(np.ascontiguousarray(kept.T).data)
        width, length = len(kept), length + kept.shape[1]
    store.flush()
    return Audio(store, width, length, choice.chosen(channels) or (None,))


@contextmanager
def _full_disk_named() -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        if exc.errno in _NO_SPACE:
            raise NoTemporarySpace(f"{gettempdir()} has no space left for a decoded recording") from exc
        raise
