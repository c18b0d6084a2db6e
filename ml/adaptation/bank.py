"""What stays the same while a model learns, computed once: frames of every utterance, on disk, in half precision.

One file per kind and set of utterances, read through the page cache, so memory does not grow with a corpus. A file
appears whole or not at all; its name says all that it depends on, so later runs on the same data find it.
"""

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ml.corpora.sound import waveform
from ml.corpora.types import LabelledUtterance

Waves = Sequence[NDArray[np.float32]]
#: Utterances that are decoded and encoded together.
TOGETHER = 32


def digest(*parts: object) -> str:
    """A name that says all that content depends on."""
    return hashlib.sha256("\x1f".join(map(str, parts)).encode()).hexdigest()[:24]


def weights_digest(tensors: Mapping[str, Tensor]) -> str:
    """Which weights these are, wherever they came from."""
    digested = hashlib.sha256()
    for name in sorted(tensors):
        values = tensors[name].detach().cpu().float().contiguous()
        digested.update(name.encode() + values.numpy().tobytes())
    return digested.hexdigest()[:24]


class FrameBank:
    """Frames [T, width] of N utterances, by number; from one file or several in a row."""

    def __init__(self, paths: Sequence[Path]) -> None:
        parts = [_opened(path) for path in paths]
        self._values = [values for values, _ in parts]
        self._starts = [starts for _, starts in parts]
        self.width = parts[0][0].shape[1]
        #: Frames of each utterance [N].
        self.lengths: NDArray[np.int64] = np.concatenate([np.diff(starts) for starts in self._starts])
        self._firsts = np.cumsum([0, *(len(starts) - 1 for starts in self._starts)])

    def rows(self, number: int, start: int = 0, stop: int | None = None) -> NDArray[np.float32]:
        """Frames [start, stop) of one utterance, single precision."""
        part = int(np.searchsorted(self._firsts, number, side="right")) - 1
        first, last = (int(at) for at in self._starts[part][number - self._firsts[part] :][:2])
        end = last if stop is None else min(last, first + stop)
        return np.asarray(self._values[part][first + start : end], dtype=np.float32)


def _opened(path: Path) -> tuple[NDArray[np.float16], NDArray[np.int64]]:
    with np.load(path.with_suffix(".npz"), allow_pickle=False) as index:
        starts, width = index["starts"], int(index["width"])
    shape = (int(starts[-1]), width)
    return np.memmap(path, dtype=np.float16, mode="r", shape=shape) if starts[-1] else np.zeros(
        shape, np.float16
    ), starts


def kept(folder: Path, name: str, made: Callable[[], Iterator[NDArray[np.float32]]]) -> Path:
    """The file `name` in `folder`, of the frames [T, width] that `made` yields where it is not there."""
    path = folder / f"{name}.f16"
    if not (path.is_file() and path.with_suffix(".npz").is_file()):
        folder.mkdir(parents=True, exist_ok=True)
        _write(path, made())
    return path


def _write(path: Path, every: Iterator[NDArray[np.float32]]) -> None:
    partial, index = path.with_name(f".{path.name}.{os.getpid()}"), path.with_name(f".{path.stem}.{os.getpid()}.npz")
    lengths, width = [], 0
    try:
        with partial.open("wb") as file:
            for frames in every:
                file.write(np.clip(frames, -65504, 65504).astype(np.float16).tobytes())
                lengths.append(len(frames))
                width = frames.shape[1]
        np.savez(index, starts=np.cumsum([0, *lengths]), width=width)
        # The index last: who finds it finds the frames.
        os.replace(partial, path)
        os.replace(index, path.with_suffix(".npz"))
    finally:
        partial.unlink(missing_ok=True)
        index.unlink(missing_ok=True)


def heard(
    items: Sequence[LabelledUtterance],
    make: Callable[[Waves], list[NDArray[np.float32]]],
    counted: Callable[[int, int], None] = lambda _done, _of: None,
) -> Iterator[NDArray[np.float32]]:
    """What `make` makes of the audio of each item; `counted` hears how many items are done.

    Raises `RecordingUnusable`.
    """
    for begin in range(0, len(items), TOGETHER):
        yield from make([waveform(item) for item in items[begin : begin + TOGETHER]])
        counted(min(begin + TOGETHER, len(items)), len(items))
