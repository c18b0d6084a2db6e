"""Labelled speech in memory: loaded once, trimmed to speech, split by speaker, varied in pitch, band and noise."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from ml.corpora.types import LabelledUtterance

SAMPLE_RATE = 16_000
#: Frames this far below the loudest one are silence at the ends of a clip.
SILENCE_DB = 35.0
#: No more of an unlabelled file is used.
UNLABELLED_S = 15

#: Speakers that no choice may look at, and speakers that choices are made on; all others train.
TEST_SPEAKERS = frozenset({"ravdess-17", "ravdess-18", "ravdess-19", "ravdess-20", "nemo-KD0", "nemo-SM0"})
DEV_SPEAKERS = frozenset({"ravdess-15", "ravdess-16", "nemo-MP0"})


@dataclass(frozen=True, slots=True)
class Clip:
    """One labelled utterance at 16 kHz."""

    item_id: str
    corpus: str
    speaker: str
    label: int
    #: Without the silence at both ends [n], as the pipeline's voice activity detection cuts it.
    samples: NDArray[np.float32]
    #: As the corpus publishes it [m ≥ n].
    recorded: NDArray[np.float32]


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
        clips.append(Clip(item.item_id, item.corpus, item.speaker, item.class_no, trim(samples), samples))
    return clips


def unlabelled(folder: Path) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Path below the folder and waveform [n] of every mono 16 kHz file with half a second of sound."""
    for path in sorted(p for p in folder.rglob("*") if p.suffix in {".ogg", ".flac", ".wav"}):
        samples, rate = soundfile.read(path, dtype="float32")
        if rate == SAMPLE_RATE and samples.ndim == 1 and len(samples) >= SAMPLE_RATE // 2:
            yield str(path.relative_to(folder)), trim(samples[: UNLABELLED_S * SAMPLE_RATE])


class Noise:
    """A minute each of white and of pink noise, of unit deviation, to cut from."""

    def __init__(self) -> None:
        white = np.random.default_rng(0).standard_normal(1 << 20)
        spectrum = np.fft.rfft(white) / np.sqrt(np.maximum(np.arange((1 << 19) + 1), 2000))
        pink = np.fft.irfft(spectrum)
        self._colours = [white.astype(np.float32), (pink / pink.std()).astype(np.float32)]

    def cut(self, samples: int, rng: np.random.Generator) -> NDArray[np.float32]:
        """A stretch [samples] of one colour."""
        start = int(rng.integers(len(self._colours[0]) - samples))
        colour: NDArray[np.float32] = self._colours[int(rng.integers(2))]
        return colour[start : start + samples]

    def frames(self, count: int, samples: int, rng: np.random.Generator, *, share: float) -> NDArray[np.float32]:
        """[count, samples]: a mixture of both colours 8 to 40 dB below unit deviation in a share of rows, else zero."""
        level = 10 ** (-rng.uniform(8, 40, count) / 20) * (rng.random(count) < share)
        starts = rng.integers(len(self._colours[0]) - samples, size=count)[:, None] + np.arange(samples)
        white = rng.random((count, 1))
        mixed = white * self._colours[0][starts] + (1 - white) * self._colours[1][starts]
        return np.asarray(level[:, None] * mixed, dtype=np.float32)


def vary(samples: NDArray[np.float32], rng: np.random.Generator, noise: Noise) -> tuple[NDArray[np.float32], float]:
    """A new version of a clip, and how many octaves higher it is: other speed and pitch, tilt, telephone band, noise.

    Emotion survives all of these; the microphone and part of the speaker's identity do not.
    """
    rate = float(rng.uniform(0.86, 1.16))
    length = int(len(samples) / rate)
    out = np.interp(np.arange(length) * rate, np.arange(len(samples)), samples).astype(np.float32)
    # Lengths with large prime factors make slow transforms.
    padded = -(-length // 2048) * 2048
    hertz = np.fft.rfftfreq(padded, 1 / SAMPLE_RATE)
    gain = (np.maximum(hertz, 100) / 1000) ** float(rng.uniform(-0.3, 0.3))
    if rng.random() < 0.15:
        gain = gain / (1 + (hertz / 3500) ** 12) * (1 - 1 / (1 + (hertz / 250) ** 4))
    out = np.fft.irfft(np.fft.rfft(out, padded) * gain, padded)[:length].astype(np.float32)
    if rng.random() < 0.6:
        level = np.sqrt(np.mean(out**2)) * 10 ** (-float(rng.uniform(12, 42)) / 20)
        out = out + level * noise.cut(length, rng)
    return out.astype(np.float32), float(np.log2(rate))
