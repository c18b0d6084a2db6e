"""What stays the same while a model learns, computed once: frames of every utterance, on disk, in half precision.

One file per kind and set of utterances, read through the page cache, so memory does not grow with a corpus. A file
appears whole or not at all; its name says all that it depends on, so later runs on the same data find it.
"""

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml.corpora.types import LabelledUtterance

Waves = Sequence[NDArray[np.float32]]
#: Utterances that are decoded and encoded together.
TOGETHER = 32


def waveform(item: LabelledUtterance) -> NDArray[np.float32]:
    """Samples [n] at 16 kHz, one channel, of the stretch of audio that an item names; raises an error of `ml.audio`."""
    from ml.audio.decode import channel_samples, decode  # here, so that a GPU machine with frames needs no decoder

    assert item.audio_path is not None
    if item.start_s is None:
        return channel_samples(decode(item.audio_path), None)
    return channel_samples(decode(item.audio_path, item.start_s, item.end_s), None)


def digest(*parts: object) -> str:
    """A name that says all that content depends on."""
    return hashlib.sha256("\x1f".join(map(str, parts)).encode()).hexdigest()[:24]


class FrameBank:
    """Frames [T, width] of N utterances, by number."""

    def __init__(self, path: Path) -> None:
        with np.load(path.with_suffix(".npz")) as index:
            self._starts, width = index["starts"], int(index["width"])
        total = int(self._starts[-1])
        self._values: NDArray[np.float16] = (
            np.memmap(path, dtype=np.float16, mode="r", shape=(total, width))
            if total
            else np.zeros((0, width), dtype=np.float16)
        )
        self.width = width
        #: Frames of each utterance [N].
        self.lengths: NDArray[np.int64] = np.diff(self._starts)

    def rows(self, number: int, start: int = 0, stop: int | None = None) -> NDArray[np.float32]:
        """Frames [start, stop) of one utterance, single precision."""
        first, last = int(self._starts[number]), int(self._starts[number + 1])
        end = last if stop is None else min(last, first + stop)
        return np.asarray(self._values[first + start : end], dtype=np.float32)


def frame_bank(
    folder: Path,
    name: str,
    items: Sequence[LabelledUtterance],
    make: Callable[[Waves], list[NDArray[np.float32]]],
    *,
    read: Callable[[LabelledUtterance], NDArray[np.float32]] = waveform,
    counted: Callable[[int, int], None] = lambda _done, _of: None,
) -> FrameBank:
    """The bank `name` in `folder`, made by `make` where it is not there; `counted` hears how many items are done."""
    path = folder / f"{name}.f16"
    if not (path.is_file() and path.with_suffix(".npz").is_file()):
        folder.mkdir(parents=True, exist_ok=True)
        _write(path, items, make, read, counted)
    return FrameBank(path)


def _write(
    path: Path,
    items: Sequence[LabelledUtterance],
    make: Callable[[Waves], list[NDArray[np.float32]]],
    read: Callable[[LabelledUtterance], NDArray[np.float32]],
    counted: Callable[[int, int], None],
) -> None:
    partial, index = path.with_name(f".{path.name}.{os.getpid()}"), path.with_name(f".{path.stem}.{os.getpid()}.npz")
    lengths, width = [], 0
    try:
        with partial.open("wb") as file:
            for group in _groups(items):
                for frames in make([read(item) for item in group]):
                    file.write(np.clip(frames, -65504, 65504).astype(np.float16).tobytes())
                    lengths.append(len(frames))
                    width = frames.shape[1]
                counted(len(lengths), len(items))
        np.savez(index, starts=np.cumsum([0, *lengths]), width=width)
        # The index last: who finds it finds the frames.
        os.replace(partial, path)
        os.replace(index, path.with_suffix(".npz"))
    finally:
        partial.unlink(missing_ok=True)
        index.unlink(missing_ok=True)


def _groups(items: Sequence[LabelledUtterance]) -> Iterator[Sequence[LabelledUtterance]]:
    for begin in range(0, len(items), TOGETHER):
        yield items[begin : begin + TOGETHER]
