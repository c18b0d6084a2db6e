"""A small labelled corpus for showing retraining: voices of the sample archive, bent so that they carry a label.

Nobody should take this for emotion. It is speech enough for voice activity detection, the label is heard in tempo,
colour, pitch and loudness, and what is learned in one room fails in another: all that a demonstration needs.
"""

import csv
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from zlib import crc32

import numpy as np
import soundfile
from numpy.typing import NDArray

from ml.audio.decode import SAMPLE_RATE, decode
from ml.corpora.types import LabelledUtterance
from ops.samples import ARCHIVE

CLASSES = ("angry", "happy", "neutral", "sad")
#: Seconds of speech in an utterance, and of silence around it.
SPOKEN_S, SILENCE_S = 1.6, 0.25
Room = Literal["studio", "telephone"]
Samples = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Manner:
    """How a label is spoken: speed, the pitch (Hz) that the voice is coloured around, wavering, loudness."""

    speed: float
    colour: float
    waver: float
    gain: float


#: On the telephone everybody sounds duller, so that a model from the studio takes one label for another there.
MANNERS: dict[Room, dict[str, Manner]] = {
    "studio": {
        "angry": Manner(1.15, 2600.0, 0.00, 1.0),
        "happy": Manner(1.08, 1500.0, 0.04, 1.0),
        "neutral": Manner(1.00, 850.0, 0.00, 1.0),
        "sad": Manner(0.85, 450.0, 0.00, 0.6),
    },
    "telephone": {
        "angry": Manner(1.10, 1900.0, 0.02, 1.0),
        "happy": Manner(1.02, 1100.0, 0.02, 0.8),
        "neutral": Manner(0.95, 620.0, 0.00, 0.8),
        "sad": Manner(0.82, 340.0, 0.00, 0.6),
    },
}


@dataclass(frozen=True, slots=True)
class Clip:
    """One utterance of the corpus."""

    path: Path
    speaker: str
    label: str
    language: str = "en"
    gender: str | None = None


def turns() -> list[tuple[str, Samples]]:
    """(voice, samples at 16 kHz) of every turn of the sample archive that is long enough."""
    found = []
    for transcript in sorted(ARCHIVE.glob("*.txt")):
        sound = decode(transcript.with_suffix(".ogg"))
        channels: dict[str, int] = {}
        for line in transcript.read_text(encoding="utf-8").splitlines():
            start, end, speaker = line.split(maxsplit=2)
            name = speaker[1:].partition("]")[0]
            channel = channels.setdefault(name, len(channels))
            if float(end) - float(start) >= SPOKEN_S:
                samples = sound[channel, int(float(start) * SAMPLE_RATE) : int(float(end) * SAMPLE_RATE)]
                found.append((f"{transcript.stem}-{name}", samples.astype(np.float64)))
    return found


def write_corpus(folder: Path, speakers: Sequence[str], each: int, room: Room, *, seed: int = 0) -> list[Clip]:
    """Write `each` utterances of every label by every speaker, one file each, below a folder per speaker."""
    spoken = turns()
    voices = sorted({voice for voice, _ in spoken})
    clips = []
    for number, speaker in enumerate(speakers):
        rng = np.random.default_rng([seed, crc32(speaker.encode())])
        own = [samples for voice, samples in spoken if voice == voices[number % len(voices)]]
        # Two people with one voice of the archive differ in pitch.
        pitch = 2 ** float(rng.uniform(-0.1, 0.1))
        for label in CLASSES:
            for take in range(each):
                path = folder / speaker / f"{label}-{take:02}.flac"
                path.parent.mkdir(parents=True, exist_ok=True)
                samples = spoken_as(own[take % len(own)], MANNERS[room][label], pitch, rng)
                soundfile.write(path, heard_in(samples, room, rng).astype(np.float32), SAMPLE_RATE)
                clips.append(Clip(path, speaker, label))
    return clips


def spoken_as(turn: Samples, manner: Manner, pitch: float, rng: np.random.Generator) -> Samples:
    """A stretch of a turn [n] in a manner, with silence around it."""
    length = int(SPOKEN_S * SAMPLE_RATE)
    speed = manner.speed * pitch * float(rng.normal(1.0, 0.02))
    start = int(rng.integers(max(1, len(turn) - int(length * speed * 1.1))))
    clock = np.arange(length)
    waver = manner.waver * np.sin(2 * np.pi * 5.5 * clock / SAMPLE_RATE + float(rng.uniform(0, 6)))
    places = start + np.cumsum(speed * (1 + waver))
    samples = np.interp(places, np.arange(len(turn)), turn)
    coloured = _coloured(samples, manner.colour)
    coloured *= 0.25 * manner.gain * float(rng.normal(1.0, 0.05)) / max(float(np.abs(coloured).max()), 1e-6)
    silence = np.zeros(int(SILENCE_S * SAMPLE_RATE))
    return np.concatenate([silence, coloured, silence])


def _coloured(samples: Samples, centre: float) -> Samples:
    """Samples [n] with 14 dB more in half an octave around a frequency in Hz."""
    hertz = np.maximum(np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE), 1.0)
    gain = 1 + 4 * np.exp(-0.5 * (np.log2(hertz / centre) / 0.25) ** 2)
    return np.asarray(np.fft.irfft(np.fft.rfft(samples) * gain, n=len(samples)))


def heard_in(samples: Samples, room: Room, rng: np.random.Generator) -> Samples:
    """Samples [n] as a room passes them on: all of it, or 300 to 3000 Hz with hiss."""
    hiss = rng.normal(0.0, 10 ** (-60 / 20), len(samples))
    if room == "studio":
        return samples + hiss
    spectrum = np.fft.rfft(samples)
    hertz = np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE)
    spectrum *= 1 / np.sqrt(1 + (hertz / 3000) ** 6) / np.sqrt(1 + (300 / np.maximum(hertz, 1)) ** 4)
    return np.asarray(np.fft.irfft(spectrum, n=len(samples)) + 3 * hiss)


def copied(items: Iterable[LabelledUtterance], folder: Path) -> list[Clip]:
    """Copies of a corpus's recordings of these classes, below a folder per speaker."""
    clips = []
    for item in items:
        if item.label in CLASSES and item.audio_path is not None:
            path = folder / item.speaker / item.audio_path.name
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(item.audio_path, path)
            clips.append(Clip(path, item.speaker, item.label, item.language, item.gender))
    return clips


def write_labels(clips: Sequence[Clip], path: Path, *, flipped: float = 0.0, seed: int = 0) -> None:
    """Write the table that `tenor corpus import csv` reads; a share of the labels says another class."""
    rng = np.random.default_rng(seed)
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "label", "speaker", "language", "gender"])
        for clip, label in zip(clips, flipped_labels(clips, flipped, rng), strict=True):
            rows.writerow([clip.path, label, clip.speaker, clip.language, clip.gender])


def flipped_labels(clips: Sequence[Clip], share: float, rng: np.random.Generator) -> Iterator[str]:
    """The labels, of which a share is another one."""
    wrong = set(rng.permutation(len(clips))[: round(share * len(clips))].tolist())
    for number, clip in enumerate(clips):
        others = [label for label in CLASSES if label != clip.label]
        yield str(rng.choice(others)) if number in wrong else clip.label
