"""Labelled speech in memory: loaded once, trimmed to speech, split by speaker, varied in pitch, band and noise."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray

from ml.corpora.types import LabelledUtterance

SAMPLE_RATE = 16_000
#: Frames this far below the loudest one are silence at the ends of a clip.
SILENCE_DB = 35.0

#: Speakers that no choice may look at, and speakers that choices are made on; all others train.
TEST_SPEAKERS = frozenset({"ravdess-17", "ravdess-18", "ravdess-19", "ravdess-20", "nemo-KD0", "nemo-SM0"})
DEV_SPEAKERS = frozenset({"ravdess-15", "ravdess-16", "nemo-MP0"})


@dataclass(frozen=True, slots=True)
class Clip:
    """One labelled utterance's samples [n], 16 kHz."""

    item_id: str
    corpus: str
    speaker: str
    label: int
    samples: NDArray[np.float32]


def trim(samples: NDArray[np.float32], *, margin_s: float = 0.1) -> NDArray[np.float32]:
    """Cut silence at both ends, leaving a margin, as voice activity detection does in the pipeline."""
    hop = 160
    frames = len(samples) // hop
    if frames < 10:
        return samples
    level = 10 * np.log10(np.square(samples[: frames * hop]).reshape(frames, hop).mean(axis=1) + 1e-10)
    loud = np.flatnonzero(level > level.max() - SILENCE_DB)
    margin = int(margin_s * SAMPLE_RATE)
    return samples[max(0, loud[0] * hop - margin) : (loud[-1] + 1) * hop + margin]


def load_clips(items: Iterable[LabelledUtterance]) -> list[Clip]:
    """Decode and trim every item; corpora are 16 kHz mono already."""
    clips = []
    for item in items:
        assert item.audio_path is not None
        samples, rate = soundfile.read(item.audio_path, dtype="float32")
        if rate != SAMPLE_RATE or samples.ndim != 1:
            raise ValueError(f"{item.audio_path} must be 16 kHz mono; convert the corpus first")
        clips.append(Clip(item.item_id, item.corpus, item.speaker, item.class_no, trim(samples)))
    return clips


def unlabelled(folder: Path | None) -> list[NDArray[np.float32]]:
    """Waveforms [n] of every ogg or flac below a folder, for the front end, which needs no labels."""
    if folder is None:
        return []
    paths = sorted(p for p in folder.rglob("*") if p.suffix in {".ogg", ".flac", ".wav"})
    return [trim(soundfile.read(p, dtype="float32")[0]) for p in paths]


def vary(samples: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """A new version of a clip: other speed and pitch (±12 %), spectral tilt, telephone band, noise.

    Emotion survives all of these; the microphone and part of the speaker's identity do not.
    """
    wave = torch.from_numpy(samples)[None, None]
    rate = float(rng.uniform(0.88, 1.12))
    wave = torch.nn.functional.interpolate(wave, scale_factor=1 / rate, mode="linear")[0, 0]
    out = wave.numpy().astype(np.float32)
    spectrum = np.fft.rfft(out)
    hertz = np.fft.rfftfreq(len(out), 1 / SAMPLE_RATE)
    gain = (np.maximum(hertz, 100) / 1000) ** float(rng.uniform(-0.35, 0.35))
    if rng.random() < 0.2:
        gain = gain / (1 + (hertz / 3500) ** 12) * (1 - 1 / (1 + (hertz / 250) ** 4))
    out = np.fft.irfft(spectrum * gain, len(out)).astype(np.float32)
    if rng.random() < 0.7:
        noise = np.fft.irfft(
            np.fft.rfft(rng.standard_normal(len(out))) / np.maximum(hertz, 50) ** float(rng.uniform(0, 0.8)),
            len(out),
        )
        level = np.sqrt(np.mean(out**2)) * 10 ** (-float(rng.uniform(12, 40)) / 20)
        out = out + (noise / (noise.std() + 1e-9) * level).astype(np.float32)
    return out.astype(np.float32)
