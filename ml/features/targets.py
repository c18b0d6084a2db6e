"""What source A's decoder rebuilds, and what it is told: mel frames and phones of one utterance, frame by frame."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.alignment.phone_ids import UNKNOWN, phone_frames
from ml.alignment.types import Utterance
from ml.features.mel import mel_spectrogram


@dataclass(frozen=True, slots=True)
class Targets:
    """Of one utterance, T frames of 20 ms: as many as wav2vec 2.0 gives of the centred waveform."""

    #: [T, 80] in [0, 1].
    mel: NDArray[np.float32]
    #: [T], ids of `ml.alignment.phone_ids`.
    phones: NDArray[np.int64]


def targets(samples: NDArray[np.float32], aligned: Utterance | None = None) -> Targets:
    """Mel frames of a waveform [n] (16 kHz) and its phones; all unknown where nothing could be aligned.

    The samples decide how many frames there are: an utterance's times are rounded, and so one frame more or less.
    """
    mel = mel_spectrogram(samples)
    if aligned is None or (aligned.words is None and aligned.phones is None):
        return Targets(mel, np.full(len(mel), UNKNOWN, np.int64))
    return Targets(mel, phone_frames(aligned, len(mel)))
