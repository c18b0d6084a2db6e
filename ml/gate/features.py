"""What a probe hears of an utterance: mean and deviation of the frames that a version's own encoder gives."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ml.corpora.sound import waveform
from ml.corpora.types import LabelledUtterance
from ml.experiments.evaluation import AT_ONCE
from ml.inference.engine import Engine, UtteranceAudio


def pooled(
    engine: Engine, items: Sequence[LabelledUtterance], counted: Callable[[int, int], None]
) -> NDArray[np.float64]:
    """[N, 2 · width] of items with audio; zeros where one is too short."""
    rows: list[NDArray[np.float64]] = []
    for begin in range(0, len(items), AT_ONCE):
        chunk = items[begin : begin + AT_ONCE]
        frames = engine.extract([UtteranceAudio(waveform(item)) for item in chunk]).frames
        width = max((own.shape[1] for own in frames if len(own)), default=1)
        rows += [
            np.concatenate([own.mean(axis=0), own.std(axis=0)]).astype(np.float64) if len(own) else np.zeros(2 * width)
            for own in frames
        ]
        counted(len(rows), len(items))
    return np.stack(rows) if rows else np.zeros((0, 2))
