"""From speech to utterances: room on either side, and none too long."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ml.audio.vad import FRAME_S, Segment

#: Speech is taken with so much around it, or half of the pause where that is shorter: soft sounds begin and end it.
PAD_S = 0.15
#: Frames over which the level is averaged when a place to cut is looked for: a tenth of a second.
_SMOOTH = 3


def padded(segments: Sequence[Segment], duration_s: float) -> list[Segment]:
    """The same segments with room on either side, not overlapping, within the recording."""
    result: list[Segment] = []
    for index, (start, end) in enumerate(segments):
        before = segments[index - 1][1] if index else -start
        after = segments[index + 1][0] if index + 1 < len(segments) else 2 * duration_s - end
        result.append((start - min(PAD_S, (start - before) / 2), end + min(PAD_S, (after - end) / 2)))
    return result


def cut_long(segment: Segment, max_s: float, levels: NDArray[np.float32]) -> list[Segment]:
    """Pieces of at most `max_s`, cut where it is quietest in the second half of what a piece may hold.

    `levels` are those of `vad.Speech`: dB per frame from the start of the recording. What remains for the last two
    pieces is shared out between them, so that no piece is a snippet.
    """
    start, end = segment
    pieces: list[Segment] = []
    while end - start > max_s:
        rest = end - start
        low, high = (start + max_s / 2, start + max_s) if rest > 2 * max_s else (end - max_s, start + max_s)
        # The middle of what is permitted, where two pieces remain: neither gets shorter than a third of the longest.
        low, high = max(low, start + max_s / 3), min(high, max(end - max_s / 3, low))
        place = _quietest(levels, low, high)
        pieces.append((start, place))
        start = place
    return [*pieces, (start, end)]


def _quietest(levels: NDArray[np.float32], low_s: float, high_s: float) -> float:
    """The middle of the quietest frame between two times."""
    first, last = int(np.ceil(low_s / FRAME_S)), int(high_s / FRAME_S)
    around = levels[max(0, first - _SMOOTH // 2) : last + _SMOOTH // 2]
    if last <= first or len(around) < _SMOOTH:
        return (low_s + high_s) / 2
    smooth = np.convolve(around, np.full(_SMOOTH, 1 / _SMOOTH), "valid")
    return float(np.clip((first + int(smooth.argmin()) + 0.5) * FRAME_S, low_s, high_s))
