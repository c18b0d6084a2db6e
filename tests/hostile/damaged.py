"""Files without sound, and sound that is damaged or whose header lies."""

import struct
import zipfile
from pathlib import Path

import numpy as np
import soundfile

from ml.audio.decode import SAMPLE_RATE
from tests.hostile.entries import Samples, encode, entry, header, pcm, video, wav

# Nothing, or not audio.


@entry("zero-bytes.wav", "audio_empty")
def _(path: Path, _s: Samples) -> None:
    path.write_bytes(b"")


@entry("header-only.wav", "audio_empty", "audio_unreadable")
def _(path: Path, _s: Samples) -> None:
    path.write_bytes(header())


@entry("text.wav", "audio_unreadable")
def _(path: Path, _s: Samples) -> None:
    path.write_text("This is no recording.\n" * 50)


@entry("random.mp3", "audio_unreadable")
def _(path: Path, _s: Samples) -> None:
    path.write_bytes(np.random.default_rng(0).integers(0, 256, 5000, np.uint8).tobytes())


@entry("zeros.wav", "audio_unreadable")
def _(path: Path, _s: Samples) -> None:
    path.write_bytes(bytes(10_000))


@entry("archive.mp3", "audio_unreadable")
def _(path: Path, samples: Samples) -> None:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("speech.raw", pcm(samples))


@entry("encrypted.wav", "audio_unreadable")
def _(path: Path, samples: Samples) -> None:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("speech.raw", pcm(samples))
    content = bytearray(path.read_bytes())
    # The flag of an encrypted member, in its local and in its central header.
    content[6] |= 1
    content[content.rfind(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(bytes(content))


@entry("video-without-audio.mp4", "audio_unreadable")
def _(path: Path, _s: Samples) -> None:
    video(path, None)


# Audio that is damaged, or whose header lies.


@entry("cut-in-the-middle.wav", "done:audio_cut_short")
def _(path: Path, samples: Samples) -> None:
    wav(path, samples)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])


@entry("cut-in-the-middle.flac", "done:audio_cut_short")
def _(path: Path, samples: Samples) -> None:
    soundfile.write(path, samples, SAMPLE_RATE)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])


@entry("cut-in-the-header.flac", "audio_unreadable", "audio_empty")
def _(path: Path, samples: Samples) -> None:
    soundfile.write(path, samples, SAMPLE_RATE)
    path.write_bytes(path.read_bytes()[:30])


@entry("damaged-bytes.mp3", "done")
def _(path: Path, samples: Samples) -> None:
    encode(path, samples, "mp3", "mp3")
    content = bytearray(path.read_bytes())
    for place in range(2000, len(content) - 100, len(content) // 6):
        content[place : place + 20] = b"\xaa" * 20
    path.write_bytes(bytes(content))


@entry("size-zero-in-header.wav", "done", "audio_empty", "audio_unreadable")
def _(path: Path, samples: Samples) -> None:
    path.write_bytes(header(size=0) + pcm(samples))


@entry("size-4-gigabytes-in-header.wav", "done")
def _(path: Path, samples: Samples) -> None:
    path.write_bytes(header(size=0xFFFFFFFF) + pcm(samples))


@entry("chunk-of-2-gigabytes.wav", "audio_unreadable", "audio_empty")
def _(path: Path, samples: Samples) -> None:
    content = header(size=len(pcm(samples)))
    path.write_bytes(content[:36] + b"LIST" + struct.pack("<I", 0x7FFFFFFF) + content[36:] + pcm(samples))


@entry("rate-0.wav", "audio_unreadable")
def _(path: Path, samples: Samples) -> None:
    path.write_bytes(header(rate=0, size=len(pcm(samples))) + pcm(samples))


@entry("rate-4-gigahertz.wav", "audio_unreadable")
def _(path: Path, samples: Samples) -> None:
    path.write_bytes(header(rate=0xFFFFFFFF, size=len(pcm(samples))) + pcm(samples))


@entry("rate-2-gigahertz.wav", "audio_unreadable")
def _(path: Path, samples: Samples) -> None:
    path.write_bytes(header(rate=2_000_000_000, size=len(pcm(samples))) + pcm(samples))


@entry("no-channel.wav", "audio_unreadable")
def _(path: Path, samples: Samples) -> None:
    path.write_bytes(header(channels=0, size=len(pcm(samples))) + pcm(samples))


@entry("channels-65535.wav", "audio_unreadable")
def _(path: Path, samples: Samples) -> None:
    path.write_bytes(header(channels=65535, size=len(pcm(samples))) + pcm(samples))


@entry("channels-64.wav", "audio_unreadable")
def _(path: Path, samples: Samples) -> None:
    wav(path, np.repeat(samples[:16000, None], 64, axis=1))


@entry("unknown-format-tag.wav", "audio_unreadable")
def _(path: Path, samples: Samples) -> None:
    path.write_bytes(header(form=0x7777, size=len(pcm(samples))) + pcm(samples))


@entry("not-a-number.wav", "audio_unreadable")
def _(path: Path, samples: Samples) -> None:
    wav(path, np.full_like(samples, np.nan), subtype="FLOAT")


@entry("infinite.wav", "audio_unreadable")
def _(path: Path, samples: Samples) -> None:
    wav(path, np.where(np.arange(len(samples)) % 2, np.inf, -np.inf).astype(np.float32), subtype="FLOAT")


@entry("some-not-a-number.wav", "done")
def _(path: Path, samples: Samples) -> None:
    samples[1000::4000] = np.nan
    samples[1001::4000] = np.inf
    samples[1002::4000] = -np.inf
    wav(path, samples, subtype="FLOAT")


@entry("beyond-full-scale.wav", "done")
def _(path: Path, samples: Samples) -> None:
    wav(path, samples * np.float32(1000), subtype="FLOAT")
