"""What a voice is: 256-d embeddings of utterances and of windows, Resemblyzer's (GE2E, Wan et al. 2018)."""

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ml.pinned import RESEMBLYZER, verify

if TYPE_CHECKING:
    from resemblyzer import VoiceEncoder

#: Shorter utterances hold too little voice to tell speakers apart.
MIN_EMBED_S = 0.4
#: Only so much of a long utterance is embedded: a voice is clear after a few seconds.
MAX_EMBED_S = 8.0
#: Partial windows (1.6 s each) that share one forward pass.
PARTIALS_PER_PASS = 64
#: Windows of diarization are brought to this level, that of the package's own preprocessing (-30 dB full scale).
WINDOW_POWER = 1e-3

SAMPLE_RATE = 16_000


@functools.cache
def voice_encoder() -> "VoiceEncoder":
    """The embedding network, loaded once per process (its weights come with the package)."""
    from resemblyzer import VoiceEncoder

    verify(RESEMBLYZER)
    return VoiceEncoder("cpu", verbose=False)


def _preprocess(samples: NDArray[np.float32]) -> NDArray[np.float32] | None:
    from resemblyzer import preprocess_wav

    wave = np.asarray(samples[: int(MAX_EMBED_S * SAMPLE_RATE)], dtype=np.float32)
    if len(wave) < MIN_EMBED_S * SAMPLE_RATE or not float(np.abs(wave).max()) > 1e-4:
        return None
    # A peak above 1 would wrap around in the package's 16-bit voice detector.
    trimmed = preprocess_wav(wave * min(1.0, 0.99 / float(np.abs(wave).max())))
    return np.asarray(trimmed if len(trimmed) >= MIN_EMBED_S * SAMPLE_RATE / 2 else wave, dtype=np.float32)


def embed_utterances(waveforms: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32] | None]:
    """One unit-length embedding [256] per waveform (16 kHz), None where it is too short or silent.

    The 1.6 s windows of all waveforms share forward passes; the results equal the package's one-by-one ones.
    """
    import torch
    from resemblyzer.audio import wav_to_mel_spectrogram

    encoder = voice_encoder()
    owners: list[int] = []
    windows: list[NDArray[np.float32]] = []
    for index, waveform in enumerate(waveforms):
        wave = _preprocess(waveform)
        if wave is None:
            continue
        wave_slices, mel_slices = encoder.compute_partial_slices(len(wave), rate=1.3, min_coverage=0.75)
        mel = wav_to_mel_spectrogram(np.pad(wave, (0, max(0, wave_slices[-1].stop - len(wave)))))
        owners += [index] * len(mel_slices)
        windows += [mel[part] for part in mel_slices]
    parts: list[NDArray[np.float32]] = []
    with torch.inference_mode():
        for begin in range(0, len(windows), PARTIALS_PER_PASS):
            batch = torch.from_numpy(np.stack(windows[begin : begin + PARTIALS_PER_PASS]))
            parts.append(encoder(batch).numpy())
    embeddings: list[NDArray[np.float32] | None] = [None] * len(waveforms)
    if parts:
        stacked, of = np.concatenate(parts), np.asarray(owners)
        for index in sorted(set(owners)):
            mean = stacked[of == index].mean(axis=0)
            embeddings[index] = (mean / np.linalg.norm(mean)).astype(np.float32)
    return embeddings


def embed_windows(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Unit-length embeddings [k, 256] of k windows [k, n] of one length (16 kHz), in one pass.

    Unlike whole utterances, windows are neither trimmed nor merely amplified: each is brought to the same level, so
    that a distance is one of voices and not of loudness.
    """
    import torch
    from resemblyzer.audio import wav_to_mel_spectrogram

    power = np.square(samples).mean(axis=1, keepdims=True)
    level = samples * np.sqrt(WINDOW_POWER / np.maximum(power, 1e-10))
    # The package transposes all axes: [frames, mels, k].
    mels = np.moveaxis(wav_to_mel_spectrogram(level.astype(np.float32)), -1, 0)
    with torch.inference_mode():
        return np.asarray(voice_encoder()(torch.from_numpy(np.ascontiguousarray(mels))).numpy(), np.float32)
