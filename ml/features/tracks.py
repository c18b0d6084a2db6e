"""Log-mel and prosody of a waveform, 50 times a second: what the small speech encoder learns to hear without labels.

In the manner of PASE (Pascual et al., Interspeech 2019): regression targets that signal processing gives for nothing.
Fundamental frequency: autocorrelation of a compressed spectrum (Tolonen and Karjalainen, IEEE TSAP 2000), divided by
that of the window (Boersma 1993).
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

SAMPLE_RATE, HOP, WINDOW, BANDS = 16_000, 320, 400, 80
#: Columns after the bands: log2 of F0 over 150 Hz, voicing 0–1, log power of the frame.
F0, VOICING, ENERGY = BANDS, BANDS + 1, BANDS + 2
TRACKS = BANDS + 3
#: A frame is voiced above this voicing.
VOICED = 0.5

_LONG, _FFT = 1024, 2048
_LAGS = np.arange(26, 267)  # 615 to 60 Hz
#: Longer lags cost a little, else a period twice as long would win by chance.
_LAG_PENALTY = 0.06
_SILENT = -5.5


def _mel_filters() -> Floats:
    """Triangles [80, 257] of equal width in mel, each of unit sum, from 50 to 7800 Hz."""
    low, high = (2595 * np.log10(1 + hertz / 700) for hertz in (50.0, 7800.0))
    edges = 700 * (10 ** (np.linspace(low, high, BANDS + 2) / 2595) - 1)
    hertz = np.fft.rfftfreq(512, 1 / SAMPLE_RATE)[None]
    rising = (hertz - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - hertz) / np.diff(edges)[1:, None]
    weights = np.maximum(0, np.minimum(rising, falling))
    return np.asarray(weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-3), dtype=np.float32)


_FILTERS = _mel_filters()
_SHORT_WINDOW = np.hanning(WINDOW).astype(np.float32)
_LONG_WINDOW = np.hanning(_LONG).astype(np.float32)
_WINDOW_CORRELATION = np.fft.irfft(np.abs(np.fft.rfft(_LONG_WINDOW, _FFT)) ** 2)[:300]
_WINDOW_SHAPE = (_WINDOW_CORRELATION / _WINDOW_CORRELATION[0]).astype(np.float32)


def normalise(waveform: Floats) -> Floats:
    """Zero mean and unit variance over the utterance, as wav2vec 2.0 checkpoints with `do_normalize` expect."""
    wave = waveform.astype(np.float64)
    return np.asarray((wave - wave.mean()) / np.sqrt(wave.var() + 1e-7), dtype=np.float32)


def frame_count(samples: int) -> int:
    """Frames of 25 ms every 20 ms that fit into so many samples."""
    return max(0, (samples - WINDOW) // HOP + 1)


def tracks(wave: Floats) -> Floats:
    """[frames, 83] of a waveform [n ≥ 400] of unit variance: 80 log-mel bands, F0, voicing, energy."""
    count = frame_count(len(wave))
    short = np.lib.stride_tricks.sliding_window_view(wave, WINDOW)[::HOP][:count]
    power = np.abs(np.fft.rfft(short * _SHORT_WINDOW, 512, axis=1)).astype(np.float32) ** 2
    mel = np.log(power / np.square(_SHORT_WINDOW).sum() @ _FILTERS.T + 1e-5)
    energy = np.log(np.square(short).mean(axis=1) + 1e-5)
    padded = np.pad(wave, ((_LONG - WINDOW) // 2, _LONG))
    f0, voicing = _pitch(np.lib.stride_tricks.sliding_window_view(padded, _LONG)[::HOP][:count])
    voicing = np.where(energy < _SILENT, np.minimum(voicing, 0.2), voicing)
    return np.column_stack([mel, f0, voicing, energy]).astype(np.float32)


def _pitch(frames: Floats) -> tuple[Floats, Floats]:
    """log2(F0 / 150 Hz) and voicing of frames [n, 1024]."""
    spectrum = np.abs(np.fft.rfft(frames * _LONG_WINDOW, _FFT, axis=1)).astype(np.float32)
    spectrum[:, :6], spectrum[:, 820:] = 0, 0  # 47 to 6400 Hz
    powers: Floats = np.fft.irfft(spectrum**1.4, axis=1)[:, :300].astype(np.float32)
    correlation: Floats = powers / (powers[:, :1] + 1e-6) / _WINDOW_SHAPE
    inner = correlation[:, _LAGS]
    peak = (inner >= correlation[:, _LAGS - 1]) & (inner >= correlation[:, _LAGS + 1])
    lag = _LAGS[(np.where(peak, inner, -1) - _LAG_PENALTY * np.log2(_LAGS / _LAGS[0])).argmax(axis=1)]
    rows = np.arange(len(frames))
    before, top, after = correlation[rows, lag - 1], correlation[rows, lag], correlation[rows, lag + 1]
    offset = np.clip(0.5 * (before - after) / (before - 2 * top + after - 1e-9), -0.5, 0.5)
    f0 = np.log2(SAMPLE_RATE / (lag + offset) / 150).astype(np.float32)
    return _without_jumps(f0), np.clip(top, 0, 1)


def _without_jumps(f0: Floats) -> Floats:
    """A frame a third of an octave away from its neighbours' median takes the median."""
    if len(f0) < 5:
        return f0
    median = np.median(np.lib.stride_tricks.sliding_window_view(np.pad(f0, 2, mode="edge"), 5), axis=1)
    return np.where(np.abs(f0 - median) > 0.3, median, f0)
