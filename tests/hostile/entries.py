"""Entries of the hostile corpus, and what their makers write with."""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import soundfile
from numpy.typing import NDArray

from ml.audio.decode import SAMPLE_RATE

Samples = NDArray[np.float32]
Maker = Callable[[Path, Samples], None]


@dataclass(frozen=True)
class Entry:
    """A hostile file: its name, who makes it, and what becomes of it (any of these)."""

    name: str | bytes
    make: Maker
    outcomes: tuple[str, ...]
    #: Not made where the file system or the user cannot have it.
    optional: bool = False


ENTRIES: list[Entry] = []


def entry(name: str | bytes, *outcomes: str, optional: bool = False) -> Callable[[Maker], Maker]:
    """Register a maker."""

    def register(make: Maker) -> Maker:
        ENTRIES.append(Entry(name, make, outcomes, optional))
        return make

    return register


def wav(path: Path, samples: Samples, rate: int = SAMPLE_RATE, subtype: str = "PCM_16") -> None:
    # Through an open file: soundfile takes only names that are UTF-8.
    with path.open("wb") as file:
        soundfile.write(file, samples, rate, subtype=subtype, format="WAV")


def at_rate(samples: Samples, rate: int) -> Samples:
    places = np.arange(0, len(samples) - 1, SAMPLE_RATE / rate)
    return np.interp(places, np.arange(len(samples)), samples).astype(np.float32)


def header(
    *, rate: int = SAMPLE_RATE, channels: int = 1, bits: int = 16, size: int | None = None, form: int = 1
) -> bytes:
    """A WAV header that claims what it is told to."""
    block = max(1, channels * bits // 8)
    data = 0 if size is None else size
    return b"RIFF" + struct.pack("<I", (36 + data) & 0xFFFFFFFF) + b"WAVEfmt " + struct.pack(
        "<IHHIIHH", 16, form, channels & 0xFFFF, rate, (rate * block) & 0xFFFFFFFF, block & 0xFFFF, bits
    ) + b"data" + struct.pack("<I", data & 0xFFFFFFFF)  # fmt: skip


def pcm(samples: Samples) -> bytes:
    return (np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes()


def encode(path: Path, samples: Samples, codec: str, container: str, *, rate: int = SAMPLE_RATE) -> None:
    """Encode with FFmpeg's encoders, whatever the name of the file says."""
    with av.open(str(path), "w", format=container) as out:
        stream = out.add_stream(codec, rate=rate, layout="mono")
        resampler = av.AudioResampler(
            format=stream.format.name, layout="mono", rate=rate, frame_size=stream.frame_size or 1024
        )
        frame = av.AudioFrame.from_ndarray(samples[None], format="flt", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        for piece in (*resampler.resample(frame), *resampler.resample(None)):
            out.mux(stream.encode(piece))
        out.mux(stream.encode(None))


def video(path: Path, samples: Samples | None) -> None:
    """A moving picture, perhaps with sound."""
    with av.open(str(path), "w", format="mp4") as out:
        picture = out.add_stream("mpeg4", rate=10)
        picture.width, picture.height, picture.pix_fmt = 64, 64, "yuv420p"
        sound = out.add_stream("aac", rate=SAMPLE_RATE, layout="mono") if samples is not None else None
        for number in range(30):
            image = np.full((64, 64, 3), number * 8, np.uint8)
            out.mux(picture.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        out.mux(picture.encode(None))
        if sound is not None and samples is not None:
            resampler = av.AudioResampler(format=sound.format.name, layout="mono", rate=SAMPLE_RATE, frame_size=1024)
            frame = av.AudioFrame.from_ndarray(samples[None], format="flt", layout="mono")
            frame.sample_rate = SAMPLE_RATE
            for piece in (*resampler.resample(frame), *resampler.resample(None)):
                out.mux(sound.encode(piece))
            out.mux(sound.encode(None))
