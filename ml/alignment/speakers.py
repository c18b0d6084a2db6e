"""Who speaks: 256-d voice embeddings, a speaker's mean, and clusters of one recording's utterances.

Embeddings are Resemblyzer's (GE2E, Wan et al. 2018). A speaker's vector is the arithmetic mean over the first hundred
utterances, not normalised again, as source A does (section 3.1); training uses the same function.
"""

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from resemblyzer import VoiceEncoder

SIZE = 256
#: A speaker's vector is the mean over so many utterances.
UTTERANCES_PER_SPEAKER = 100
#: Shorter utterances hold too little voice to tell speakers apart.
MIN_EMBED_S = 0.4
#: Only so much of a long utterance is embedded: a voice is clear after a few seconds.
MAX_EMBED_S = 8.0
#: Partial windows (1.6 s each) that share one forward pass.
PARTIALS_PER_PASS = 64
#: Cosine distance below which two clusters are one voice.
SAME_VOICE_DISTANCE = 0.34
#: More voices than this in one channel are noise of the clustering.
MAX_SPEAKERS = 8

SAMPLE_RATE = 16_000


@functools.cache
def voice_encoder() -> "VoiceEncoder":
    """The embedding network, loaded once per process (its weights come with the package)."""
    from resemblyzer import VoiceEncoder

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


def speaker_vector(embeddings: Sequence[NDArray[np.float32] | None]) -> NDArray[np.float32]:
    """A speaker's vector [256]: the mean over the first hundred embeddings; zeros when there is none."""
    known = [e for e in embeddings if e is not None][:UTTERANCES_PER_SPEAKER]
    if not known:
        return np.zeros(SIZE, dtype=np.float32)
    return np.asarray(np.mean(known, axis=0), dtype=np.float32)


def cluster(embeddings: Sequence[NDArray[np.float32] | None]) -> list[int]:
    """A speaker index per utterance, numbered by first appearance; utterances without embedding join their neighbour.

    Average-linkage clustering of cosine distances, cut at a fixed distance, so the number of speakers is found.
    """
    known = [i for i, e in enumerate(embeddings) if e is not None]
    raw = dict.fromkeys(known, 0)
    if len(known) > 1:
        from sklearn.cluster import AgglomerativeClustering

        vectors = np.stack([e for e in embeddings if e is not None])
        clustering = AgglomerativeClustering(
            n_clusters=None, metric="cosine", linkage="average", distance_threshold=SAME_VOICE_DISTANCE
        )
        labels = clustering.fit_predict(vectors)
        if labels.max() >= MAX_SPEAKERS:
            labels = AgglomerativeClustering(n_clusters=MAX_SPEAKERS, metric="cosine", linkage="average").fit_predict(
                vectors
            )
        raw = dict(zip(known, (int(label) for label in labels), strict=True))
    order: dict[int, int] = {}
    result, last = [], 0
    for index in range(len(embeddings)):
        if index in raw:
            last = order.setdefault(raw[index], len(order))
        result.append(last)
    return result
