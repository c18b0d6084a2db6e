"""Mel spectrograms as source A rebuilds them (Makiuchi, Uto, Shinoda 2021; the authors' data preparation).

16 kHz, 80 Slaney bands from 90 to 7600 Hz of magnitudes, windows of 25 ms every 20 ms, in [0, 1] over 100 dB. They
derive from AutoVC's (Qian et al., ICML 2019), but with a hop that meets wav2vec 2.0's frames.
"""

import functools

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ml.encoders.framing import FIELD, HOP, centred_frames

SAMPLE_RATE = 16_000
BANDS, LOWEST_HZ, HIGHEST_HZ = 80, 90, 7600
#: Rumble below this is not rebuilt: Butterworth, order 5, forwards and backwards.
HIGH_PASS_HZ, HIGH_PASS_ORDER = 30, 5
#: 0 and 1 of the result, in dB: the softest value that is kept apart from silence is -84, the loudest 16.
RANGE_DB, REFERENCE_DB = 100.0, 16.0
_SOFTEST = 1e-5


@functools.cache
def _filters() -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float32], NDArray[np.float64]]:
    """High-pass numerator and denominator, mel bank [bands, bins], window."""
    from librosa.filters import mel
    from scipy.signal import butter, get_window

    numerator, denominator = butter(HIGH_PASS_ORDER, HIGH_PASS_HZ / (SAMPLE_RATE / 2), btype="high")
    bank = mel(sr=SAMPLE_RATE, n_fft=FIELD, n_mels=BANDS, fmin=LOWEST_HZ, fmax=HIGHEST_HZ)
    return numerator, denominator, bank, get_window("hann", FIELD)


def mel_spectrogram(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """[floor(n / 320) + 1, 80] in [0, 1] of a waveform [n] at 16 kHz; no frame below 400 samples, as by wav2vec."""
    if len(samples) < FIELD:
        return np.zeros((0, BANDS), dtype=np.float32)
    from scipy.signal import filtfilt

    numerator, denominator, bank, window = _filters()
    heard = filtfilt(numerator, denominator, samples.astype(np.float64))
    centred = np.pad(heard, FIELD // 2, mode="reflect")
    windows = sliding_window_view(centred, FIELD)[::HOP] * window
    assert len(windows) == centred_frames(len(samples))
    magnitudes = np.abs(np.fft.rfft(windows, axis=1))
    level = 20 * np.log10(np.maximum(_SOFTEST, magnitudes @ bank.T)) - REFERENCE_DB
    return np.clip((level + RANGE_DB) / RANGE_DB, 0, 1).astype(np.float32)
