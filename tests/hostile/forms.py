"""Silence, noise, and sound in forms that are unusual and right."""

from pathlib import Path

import numpy as np
import soundfile

from ml.audio.decode import SAMPLE_RATE
from tests.hostile.entries import Samples, at_rate, encode, entry, video, wav


def _long_silence(path: Path, hours: float) -> None:
    """Hours of silence in a few MB: as FLAC, block by block."""
    with soundfile.SoundFile(path, "w", 8000, 1, format="FLAC", subtype="PCM_16") as file:
        quiet = np.zeros(8000 * 600, np.int16)
        for _ in range(round(hours * 6)):
            file.write(quiet)


# Silence, and sound that is not speech.


@entry("very-short.wav", "audio_too_short")
def _(path: Path, samples: Samples) -> None:
    wav(path, samples[:800])


@entry("silent.wav", "audio_silent")
def _(path: Path, samples: Samples) -> None:
    wav(path, np.zeros_like(samples))


@entry("offset-only.wav", "no_speech")
def _(path: Path, samples: Samples) -> None:
    wav(path, np.full_like(samples, 0.4))


@entry("square-wave.wav", "no_speech", "done")
def _(path: Path, samples: Samples) -> None:
    wav(path, np.sign(np.sin(np.arange(len(samples)) * 2 * np.pi * 220 / SAMPLE_RATE)).astype(np.float32))


@entry("ten-hours-of-silence.flac", "audio_silent")
def _(path: Path, _s: Samples) -> None:
    _long_silence(path, 10.0)


@entry("thirteen-hours.flac", "audio_too_long")
def _(path: Path, _s: Samples) -> None:
    _long_silence(path, 13.0)


# Forms of sound that are unusual and sound.


@entry("eight-channels.wav", "done")
def _(path: Path, samples: Samples) -> None:
    wav(path, np.stack([samples * np.float32(1 - 0.05 * i) for i in range(8)], axis=1))


@entry("one-live-channel-of-two.wav", "done")
def _(path: Path, samples: Samples) -> None:
    wav(path, np.stack([np.zeros_like(samples), samples], axis=1))


@entry("4-kilohertz.wav", "done", "no_speech")
def _(path: Path, samples: Samples) -> None:
    wav(path, at_rate(samples, 4000), 4000)


@entry("384-kilohertz.wav", "done")
def _(path: Path, samples: Samples) -> None:
    wav(path, at_rate(samples, 384_000), 384_000)


@entry("8-bit.wav", "done")
def _(path: Path, samples: Samples) -> None:
    wav(path, samples, subtype="PCM_U8")


@entry("24-bit.wav", "done")
def _(path: Path, samples: Samples) -> None:
    wav(path, samples, subtype="PCM_24")


@entry("64-bit-float.wav", "done")
def _(path: Path, samples: Samples) -> None:
    wav(path, samples, subtype="DOUBLE")


@entry("mu-law.wav", "done")
def _(path: Path, samples: Samples) -> None:
    wav(path, at_rate(samples, 8000), 8000, "ULAW")


@entry("a-law.wav", "done")
def _(path: Path, samples: Samples) -> None:
    wav(path, at_rate(samples, 8000), 8000, "ALAW")


@entry("adpcm.wav", "done")
def _(path: Path, samples: Samples) -> None:
    wav(path, samples, subtype="IMA_ADPCM")


@entry("video-with-audio.mp4", "done")
def _(path: Path, samples: Samples) -> None:
    video(path, samples)


@entry("ogg-named.wav", "done")
def _(path: Path, samples: Samples) -> None:
    soundfile.write(path, samples, SAMPLE_RATE, format="OGG", subtype="VORBIS")


@entry("mp3-named.flac", "done")
def _(path: Path, samples: Samples) -> None:
    encode(path, samples, "mp3", "mp3")
