"""Which channel a turn is heard on."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ml.audio.reader import Audio
from ml.transcripts import Turn


def loudest(audio: Audio, start_s: float, end_s: float) -> int:
    """The analysed channel with the most energy between two times."""
    if audio.channels == 1:
        return 0
    return int(np.argmax([np.square(audio.read(c, start_s, end_s)).sum() for c in range(audio.channels)]))


def channels_of(audio: Audio, turns: Sequence[Turn]) -> list[int]:
    """The analysed channel each timed turn is heard on: the one the transcript names, else the loudest.

    A named speaker keeps the one with most of their time.
    """
    if audio.channels == 1:
        return [0] * len(turns)
    single = [
        audio.origins.index(turn.channel)
        if turn.channel is not None and turn.channel in audio.origins
        else loudest(audio, turn.start_s or 0.0, turn.end_s or 0.0)
        for turn in turns
    ]
    votes: dict[str, NDArray[np.float64]] = {}
    for turn, channel in zip(turns, single, strict=True):
        if turn.speaker is not None:
            tally = votes.setdefault(turn.speaker, np.zeros(audio.channels))
            tally[channel] += (turn.end_s or 0.0) - (turn.start_s or 0.0)
    return [
        channel if turn.speaker is None else int(votes[turn.speaker].argmax())
        for turn, channel in zip(turns, single, strict=True)
    ]
