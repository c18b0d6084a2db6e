"""espeak-ng as an actor: one line spoken by one voice in one mood.

espeak-ng has no moods. Each is made of what listeners go by (Banse and Scherer 1996, table 6; Juslin and Laukka 2003,
table 7): tempo, pitch level and range, loudness, high-frequency energy, and tremor.
"""

import shutil
import subprocess
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray

from ops.samples.dialogue import Speaker

SAMPLE_RATE = 16_000
#: espeak-ng's own rate; its WAV header says so too.
SPOKEN_RATE = 22_050
WORDS_PER_MIN = 168
#: Loudness of neutral speech, dBFS over the voiced part.
LEVEL_DB = -24.0
VIBRATO_HZ = 6.3


@dataclass(frozen=True, slots=True)
class Prosody:
    """How a mood sounds, relative to neutral. `tilt_db` per octave around 1 kHz; `tremor` 0 to 1."""

    rate: float = 1.0
    pitch: float = 1.0
    range: float = 1.0
    gain_db: float = 0.0
    tilt_db: float = 0.0
    tremor: float = 0.0


MOODS: Final[dict[str, Prosody]] = {
    "angry": Prosody(rate=1.14, pitch=1.18, range=1.9, gain_db=6.0, tilt_db=2.0),
    "happy": Prosody(rate=1.06, pitch=1.2, range=2.0, gain_db=2.5, tilt_db=1.0),
    "neutral": Prosody(),
    "sad": Prosody(rate=0.76, pitch=0.9, range=0.45, gain_db=-5.0, tilt_db=-2.0, tremor=0.15),
    "fear": Prosody(rate=1.2, pitch=1.4, range=1.2, gain_db=0.5, tilt_db=0.5, tremor=0.8),
    "disgust": Prosody(rate=0.86, pitch=0.9, range=1.5, gain_db=0.5, tilt_db=-0.5),
    "surprise": Prosody(rate=1.04, pitch=1.36, range=2.3, gain_db=3.5, tilt_db=1.0),
}


class SynthesiserMissing(RuntimeError):
    """espeak-ng is not installed."""


def espeak() -> str:
    """Path of the espeak-ng program; raises `SynthesiserMissing`."""
    found = shutil.which("espeak-ng")
    if found is None:
        raise SynthesiserMissing("espeak-ng is not installed; `apt-get install espeak-ng` brings it (1.51 was used)")
    return found


def speak(speaker: Speaker, mood: str, text: str) -> NDArray[np.float64]:
    """One line as 16 kHz samples [n] without silence around it. Raises `SynthesiserMissing`."""
    prosody = MOODS[mood]
    # A <speak> element around it would make espeak-ng 1.51 drop the voice's variant.
    markup = (
        f'<prosody rate="{prosody.rate * speaker.rate:.0%}" pitch="{prosody.pitch * speaker.pitch:.0%}" '
        f'range="{prosody.range:.0%}">{escape(text)}</prosody>'
    )
    command = [espeak(), "-m", "-z", "-b", "1", "-s", str(WORDS_PER_MIN), "-v", speaker.voice, "--stdout"]
    wav = subprocess.run(command, input=markup.encode(), capture_output=True, check=True).stdout
    # The header of a WAV on a pipe states no length, so that readers of WAV refuse it; it is always 44 bytes.
    spoken = np.frombuffer(wav[44:], dtype="<i2") / 32768.0
    samples = tremble(shape(spoken, prosody.tilt_db), prosody.tremor)
    return level(trim(samples), LEVEL_DB + prosody.gain_db)


def shape(spoken: NDArray[np.float64], tilt_db: float) -> NDArray[np.float64]:
    """Resample to 16 kHz, as heard over a wideband line (80 Hz to 7 kHz), with a spectral tilt."""
    length = round(len(spoken) * SAMPLE_RATE / SPOKEN_RATE)
    spectrum = np.fft.rfft(spoken)[: length // 2 + 1]
    hz = np.arange(len(spectrum)) * SPOKEN_RATE / len(spoken)
    octaves = np.clip(np.log2(np.maximum(hz, 1.0) / 1000.0), -3.0, 3.0)
    band = 1.0 / (1.0 + (80.0 / np.maximum(hz, 1.0)) ** 4) / (1.0 + (hz / 7000.0) ** 12)
    shaped = spectrum * band * 10 ** (tilt_db * octaves / 20.0)
    return np.asarray(np.fft.irfft(shaped, n=length) * (length / len(spoken)))


def tremble(samples: NDArray[np.float64], depth: float) -> NDArray[np.float64]:
    """Vibrato and tremolo at the rate of a trembling voice; depth 1 is 3 % of pitch and 30 % of amplitude."""
    if not depth:
        return samples
    n = np.arange(len(samples))
    phase = 2 * np.pi * VIBRATO_HZ * n / SAMPLE_RATE
    delay = 0.03 * depth / (2 * np.pi * VIBRATO_HZ) * SAMPLE_RATE
    return np.interp(n + delay * np.sin(phase), n, samples) * (1 - 0.15 * depth * (1 + np.sin(phase * 0.83)))


def trim(samples: NDArray[np.float64], floor: float = 0.01) -> NDArray[np.float64]:
    """Without what is quieter than `floor` of the peak at both ends."""
    loud = np.flatnonzero(np.abs(samples) > floor * np.abs(samples).max())
    return samples[loud[0] : loud[-1] + 1]


def level(samples: NDArray[np.float64], dbfs: float) -> NDArray[np.float64]:
    """Set the loudness of the voiced part; peaks are bent, not cut, below full scale."""
    frames = samples[: len(samples) // 160 * 160].reshape(-1, 160)
    power = (frames**2).mean(axis=1)
    voiced = float(np.sqrt(power[power > 0.05 * power.max()].mean()))
    return np.asarray(np.tanh(samples * (10 ** (dbfs / 20) / voiced)) * 0.98)
