"""Frames of 20 ms: how many wav2vec 2.0 and a centred spectrogram give, and how to make the two agree."""

import numpy as np
from numpy.typing import NDArray

#: Samples between two frames, and those that one wav2vec 2.0 frame sees, at 16 kHz.
HOP, FIELD = 320, 400


def centred_frames(samples: int) -> int:
    """Frames of a spectrogram with half a window of padding on both sides: floor(samples / 320) + 1."""
    return samples // HOP + 1


def centring(samples: int) -> int:
    """Zeros to put on each side of a waveform so that wav2vec 2.0 gives as many frames as a centred spectrogram.

    As source A's authors prepare their data: 160 where the length has at least 80 samples beyond whole hops, else 319.
    With L = 320·q + r the padded length less the field of 400 then lies between 320·q and 320·q + 319 either way.
    """
    return HOP // 2 if samples % HOP >= FIELD - HOP else HOP - 1


def centre(waveform: NDArray[np.float32]) -> NDArray[np.float32]:
    """The waveform [n] with `centring` zeros on each side."""
    return np.pad(waveform, centring(len(waveform)))
