"""A corpus of hostile recordings and transcripts: `python -m tests.hostile.corpus FOLDER` writes it.

Every entry says what has to become of it: an error code, `done`, or `done:code` for a recording that is analysed
although something about it (its transcript) is not as it should be.
"""

import os
import struct
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import soundfile
from numpy.typing import NDArray

from ml.audio.decode import SAMPLE_RATE, decode
from tests.acceptance.house import SAMPLES

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
#: Names that must not even be listed as recordings.
UNSEEN = ("folder.wav", "loop/loop.wav")


def entry(name: str | bytes, *outcomes: str, optional: bool = False) -> Callable[[Maker], Maker]:
    """Register a maker."""

    def register(make: Maker) -> Maker:
        ENTRIES.append(Entry(name, make, outcomes, optional))
        return make

    return register


def voice(seconds: float = 3.0) -> Samples:
    """Speech [n] at 16 kHz, from the project's own sample calls."""
    audio = decode(SAMPLES / "billing-complaint.ogg")
    return np.ascontiguousarray(audio[1, round(4.5 * SAMPLE_RATE) : round((4.5 + seconds) * SAMPLE_RATE)])


def write_corpus(folder: Path) -> dict[str, tuple[str, ...]]:
    """Write every file below a new folder; returns what has to become of each, by path as the database keeps it."""
    from workers.files import storable_path

    folder.mkdir(parents=True)
    base = voice()
    expected = {}
    for number, item in enumerate(ENTRIES):
        name = os.fsdecode(item.name)
        path = folder / name
        # Equal content would be one recording with one outcome.
        samples = (base * np.float32(1 - 0.003 * number)).astype(np.float32)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            item.make(path, samples)
        except OSError:
            if not item.optional:
                raise
            continue
        if name not in UNSEEN:
            expected[storable_path(name)] = item.outcomes
    return expected


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
    _video(path, None)


# Audio that is damaged, or whose header lies.


@entry("cut-in-the-middle.wav", "done")
def _(path: Path, samples: Samples) -> None:
    wav(path, samples)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])


@entry("cut-in-the-middle.flac", "done")
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
    _video(path, samples)


@entry("ogg-named.wav", "done")
def _(path: Path, samples: Samples) -> None:
    soundfile.write(path, samples, SAMPLE_RATE, format="OGG", subtype="VORBIS")


@entry("mp3-named.flac", "done")
def _(path: Path, samples: Samples) -> None:
    encode(path, samples, "mp3", "mp3")


# Places and names.


@entry("link.wav", "done")
def _(path: Path, samples: Samples) -> None:
    target = path.parent / ".hidden-target.wav"
    wav(target, samples)
    path.symlink_to(target.name)


@entry("dangling-link.wav", "audio_missing")
def _(path: Path, _s: Samples) -> None:
    path.symlink_to("nowhere.wav")


@entry("link-to-itself.wav", "audio_missing")
def _(path: Path, _s: Samples) -> None:
    path.symlink_to(path.name)


@entry("loop/loop.wav", "unseen")
def _(path: Path, _s: Samples) -> None:
    # A folder that contains itself.
    path.symlink_to(path.parent, target_is_directory=True)


@entry("folder.wav", "unseen")
def _(path: Path, _s: Samples) -> None:
    path.mkdir()


@entry("folder.wav/inside.wav", "done")
def _(path: Path, samples: Samples) -> None:
    wav(path, samples)


@entry("pipe.wav", "audio_unreadable", optional=True)
def _(path: Path, _s: Samples) -> None:
    os.mkfifo(path)


@entry("device.wav", "audio_unreadable", optional=True)
def _(path: Path, _s: Samples) -> None:
    path.symlink_to("/dev/zero")


@entry("no-permission.wav", "done" if os.geteuid() == 0 else "audio_missing")
def _(path: Path, samples: Samples) -> None:
    wav(path, samples)
    path.chmod(0)


@entry("line\nbreak 'quoted\" back\\slash $HOME;--.wav", "done")
def _(path: Path, samples: Samples) -> None:
    wav(path, samples)


@entry("-rf.wav", "done")
def _(path: Path, samples: Samples) -> None:
    wav(path, samples)


@entry("n" * 251 + ".wav", "done")
def _(path: Path, samples: Samples) -> None:
    wav(path, samples)


@entry(b"not utf-8 \xff\xfe\x80.wav", "done", optional=True)
def _(path: Path, samples: Samples) -> None:
    wav(path, samples)


@entry("caf\u00e9.wav", "done")
def _(path: Path, samples: Samples) -> None:
    wav(path, samples)


@entry("cafe\u0301.wav", "done", optional=True)
def _(path: Path, samples: Samples) -> None:
    wav(path, samples)


# Transcripts beside sound recordings.


def with_transcript(name: str, *outcomes: str) -> Callable[[Callable[[Path, float], None]], None]:
    """Register a recording that is sound, with a transcript that is not; the maker gets its path and the seconds."""

    def register(make: Callable[[Path, float], None]) -> None:
        def both(path: Path, samples: Samples) -> None:
            wav(path, samples)
            make(path.with_suffix(".txt"), len(samples) / SAMPLE_RATE)

        ENTRIES.append(Entry(f"transcripts/{name}.wav", both, outcomes))

    return register


def text(name: str, content: str | bytes, *outcomes: str) -> None:
    """Register a recording with this transcript."""
    raw = content.encode() if isinstance(content, str) else content
    with_transcript(name, *outcomes)(lambda path, _: path.write_bytes(raw) and None)


UNREADABLE, MISMATCH = "done:transcript_unreadable", "done:transcript_mismatch"
NO_ALIGNER = "done:language_not_aligned"
SAID = "You have charged me twice. Again! This is the third month in a row."

text("empty", "", "done")
text("white-space", " \n\t\r\n \n", "done")
text("latin-1", f"{SAID} Señor Nuñez, ça va?".encode("latin-1"), "done", MISMATCH)
text("utf-16", "\ufeff".encode("utf-16-le") + SAID.encode("utf-16-le"), "done", MISMATCH)
text("binary", bytes(range(256)) * 20, UNREADABLE)
text("half-a-utf-16", b"\xff\xfe\x00", UNREADABLE, "done", MISMATCH)
text("zero-characters", f"{SAID}\0{SAID}", UNREADABLE)
text("control-characters", f"\x01\x02\x1b[31m{SAID}\x7f\u202e", "done", MISMATCH)
text("times-beyond-the-audio", f"100.0 104.0 [Ann] {SAID}\n", MISMATCH)
text("times-half-beyond", f"0.1 9000 [Ann] {SAID}\n", "done", MISMATCH)
text("overlapping", "0.0 2.0 [Ann] You have charged me\n0.5 2.5 [Ben] charged me twice\n", "done", MISMATCH)
text("out-of-order", "1.5 2.8 [Ben] third month in a row\n0.0 1.5 [Ann] You have charged me twice\n", "done", MISMATCH)
text("negative-times", "-1.0 2.0 [Ann] You have charged me\n-0.5 1.0 [Ben] twice\n", "done", MISMATCH, UNREADABLE)
text("not-a-number-times", "nan 2.0 [Ann] You have\ninf inf [Ben] charged me\n", "done", MISMATCH, UNREADABLE)
text("end-before-start", "2.0 1.0 [Ann] You have charged me twice\n", UNREADABLE)
text(
    "enormous-times", "1e400 2e400 [Ann] twice\n" + "9" * 400 + " " + "9" * 401 + " [Ann] twice\n", UNREADABLE, MISMATCH
)
text("50000-words", "word " * 50_000, MISMATCH)
text("one-line-of-a-megabyte", "x" * 1_000_000, MISMATCH)
text("20-megabytes-too-many", b"You have charged me twice. " * 800_000, UNREADABLE)
text("korean", "두 번이나 청구하셨어요. 또요! 이번이 세 번째 달이에요.", NO_ALIGNER)
text("arabic", "لقد خصمتم مني مرتين", NO_ALIGNER)
text("only-punctuation", "... --- !!! ???", MISMATCH)
text("long-speaker-name", f"0.1 2.9 [{'A' * 5000}] {SAID}\n", "done", MISMATCH, UNREADABLE)


@with_transcript("a-folder", "done")
def _(path: Path, _s: float) -> None:
    path.mkdir()


@with_transcript("a-pipe", "done")
def _(path: Path, _s: float) -> None:
    os.mkfifo(path)


@with_transcript("no-permission", *(("done", MISMATCH) if os.geteuid() == 0 else (UNREADABLE,)))
def _(path: Path, _s: float) -> None:
    path.write_text(SAID)
    path.chmod(0)


@with_transcript("dangling", "done")
def _(path: Path, _s: float) -> None:
    path.symlink_to("nowhere.txt")


def _long_silence(path: Path, hours: float) -> None:
    """Hours of silence in a few MB: as FLAC, block by block."""
    with soundfile.SoundFile(path, "w", 8000, 1, format="FLAC", subtype="PCM_16") as file:
        quiet = np.zeros(8000 * 600, np.int16)
        for _ in range(round(hours * 6)):
            file.write(quiet)


def _video(path: Path, samples: Samples | None) -> None:
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


if __name__ == "__main__":
    for name, outcomes in write_corpus(Path(sys.argv[1])).items():
        print(f"{name!a:60} {' or '.join(outcomes)}")
