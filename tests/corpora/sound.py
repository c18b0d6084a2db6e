"""Short sounds that a small model can tell apart: the class is in pitch and loudness, the voice in overtones."""

import zlib
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

SAMPLE_RATE = 16_000
#: Hertz and loudness of each class.
_CLASSES = {
    "angry": (420, 0.5),
    "happy": (330, 0.35),
    "neutral": (200, 0.2),
    "sad": (130, 0.12),
    "fear": (520, 0.15),
    "disgust": (160, 0.4),
    "surprise": (620, 0.4),
}


def voice(emotion: str, speaker: str, *, seconds: float, take: str = "") -> NDArray[np.float32]:
    """Samples [n] at 16 kHz; the same for the same words, different for every take."""
    rng = np.random.default_rng(zlib.crc32(f"{emotion} {speaker} {take}".encode()))
    timbre = np.random.default_rng(zlib.crc32(speaker.encode())).uniform(0.1, 0.6, size=4)
    hertz, loudness = _CLASSES[emotion]
    times = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    phase = 2 * np.pi * hertz * rng.uniform(0.95, 1.05) * (times + 0.003 * np.sin(2 * np.pi * 5 * times))
    tone = np.sin(phase) + sum(part * np.sin((number + 2) * phase) for number, part in enumerate(timbre))
    # Syllables: four to the second.
    tone *= 0.6 + 0.4 * np.sin(2 * np.pi * 4 * times + rng.uniform(0, 6))
    samples = loudness * tone / np.abs(tone).max() + rng.normal(0, 0.003, len(times))
    return samples.astype(np.float32)


def write_voice(path: Path, emotion: str, speaker: str, *, seconds: float) -> Path:
    """Write a sound of its own for this path; the folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, voice(emotion, speaker, seconds=seconds, take=path.stem), SAMPLE_RATE)
    return path
