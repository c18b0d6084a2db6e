"""Segments of an utterance: random crops to train on, consecutive pieces to judge.

Makiuchi, Uto, Shinoda (ASRU 2021): 96 frames, 1.92 s. In the released code a tail of exactly one frame is dropped.
"""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Kind = TypeVar("Kind", bound=np.generic)


def crop_start(frames: int, length: int, rng: np.random.Generator) -> int:
    """Where a random crop of an utterance of so many frames begins; 0 where it is not longer than `length`."""
    return int(rng.integers(max(0, frames - length) + 1))


def crop(values: NDArray[Kind], start: int, length: int) -> NDArray[Kind]:
    """`length` frames of [T, …] from `start`, zeros after the end; cut frames, mel and phones at one start."""
    piece = values[start : start + length]
    if len(piece) == length:
        return piece
    return np.concatenate([piece, np.zeros((length - len(piece), *values.shape[1:]), dtype=values.dtype)])


def pieces(frames: int, length: int, *, drop_single_frame: bool = False) -> list[tuple[int, int]]:
    """(start, end) of the consecutive pieces of an utterance; the last may be shorter, and is zero-padded by `crop`.

    `drop_single_frame` leaves out a last piece of one frame, unless it is the only one.
    """
    found = [(start, min(start + length, frames)) for start in range(0, frames, length)]
    if drop_single_frame and len(found) > 1 and found[-1][1] - found[-1][0] == 1:
        found.pop()
    return found
