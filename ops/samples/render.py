"""Render the sample archive: `python -m ops.samples.render OUT`.

The same espeak-ng gives the same files, byte for byte: pauses and noise come from seeds made of the calls' names.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import av
import numpy as np
from numpy.typing import NDArray

from ops.samples import ARCHIVE, DIALOGUES
from ops.samples.dialogue import Dialogue, read_dialogues
from ops.samples.voices import MOODS, SAMPLE_RATE, SynthesiserMissing, speak

#: Opus, both channels together.
BIT_RATE = 32_000
#: The line before the first and after the last word.
LEAD_S, TAIL_S = 0.6, 0.8
#: Hiss of the line, dBFS.
NOISE_DB = -62.0
#: Between two turns when a dialogue does not say: mean and spread (Stivers et al. 2009: about 0.2 s in conversation).
PAUSE_S, PAUSE_SPREAD_S = 0.35, 0.15
#: A file that ends in the middle of a copy, and then holds what was on the disk before.
CORRUPT = "voicemail.ogg"


@dataclass(frozen=True, slots=True)
class Placed:
    """A turn in its recording."""

    start_s: float
    end_s: float
    speaker: str
    text: str


def place(dialogue: Dialogue, spoken: list[NDArray[np.float64]]) -> tuple[NDArray[np.float64], list[Placed]]:
    """Put spoken lines (each [n]) on two channels: samples [2, n] at 16 kHz, and when each turn is."""
    random = np.random.default_rng(crc32(dialogue.stem.encode()))
    clock, ends = LEAD_S, [0.0, 0.0]
    turns: list[Placed] = []
    parts: list[tuple[int, int, NDArray[np.float64]]] = []
    for line, samples in zip(dialogue.lines, spoken, strict=True):
        usual = max(0.08, random.normal(PAUSE_S, PAUSE_SPREAD_S) / MOODS[line.mood].rate ** 2)
        # Nobody speaks over themselves.
        start_s = max(clock + (usual if line.gap_s is None else line.gap_s), ends[line.channel] + 0.12)
        first = round(start_s * SAMPLE_RATE)
        end_s = (first + len(samples)) / SAMPLE_RATE
        parts.append((line.channel, first, samples))
        turns.append(Placed(start_s, end_s, dialogue.speakers[line.channel].name, line.text))
        ends[line.channel] = end_s
        clock = max(clock, end_s)
    mixed = noise(random, round((clock + TAIL_S) * SAMPLE_RATE))
    for channel, first, samples in parts:
        mixed[channel, first : first + len(samples)] += samples
    return np.clip(mixed, -0.99, 0.99), turns


def noise(random: np.random.Generator, length: int) -> NDArray[np.float64]:
    """A quiet line [2, length]: hiss that falls towards high frequencies, different on each channel."""
    spectrum = np.fft.rfft(random.standard_normal((2, length)))
    spectrum /= np.sqrt(1.0 + np.arange(spectrum.shape[1]) * SAMPLE_RATE / length / 500.0)
    hiss = np.fft.irfft(spectrum, n=length)
    return np.asarray(hiss * (10 ** (NOISE_DB / 20) / hiss.std(axis=1, keepdims=True)))


def encode(samples: NDArray[np.float64], path: Path) -> None:
    """Write samples [2, n] at 16 kHz as Ogg Opus."""
    pcm = np.ascontiguousarray(np.round(samples.T * 32767).astype("<i2").reshape(1, -1))
    # Without "bitexact" the stream's serial number is random.
    with av.open(str(path), "w", format="ogg", container_options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("libopus", rate=SAMPLE_RATE, layout="stereo")
        stream.bit_rate = BIT_RATE
        stream.codec_context.options = {"application": "voip", "vbr": "on", "compression_level": "10"}
        stream.codec_context.flags |= av.codec.context.Flags.bitexact
        frame = av.AudioFrame.from_ndarray(pcm, format="s16", layout="stereo")
        frame.sample_rate, frame.pts = SAMPLE_RATE, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def write_transcript(turns: list[Placed], path: Path) -> None:
    """Write `start end [speaker] text` lines, seconds with two decimals."""
    lines = (f"{turn.start_s:.2f} {turn.end_s:.2f} [{turn.speaker}] {turn.text}\n" for turn in turns)
    path.write_text("".join(lines), encoding="utf-8")


def corrupt_file() -> bytes:
    """Bytes that begin like an Ogg page and hold nothing that decodes."""
    return b"OggS\x00\x02" + np.random.default_rng(crc32(CORRUPT.encode())).bytes(6_000)


def render(out: Path) -> list[tuple[str, float, int]]:
    """Render every dialogue into a folder; returns (file name, seconds, bytes) of each recording.

    Raises `SynthesiserMissing`.
    """
    out.mkdir(parents=True, exist_ok=True)
    made = []
    for dialogue in read_dialogues(DIALOGUES):
        spoken = [speak(dialogue.speakers[line.channel], line.mood, line.text) for line in dialogue.lines]
        samples, turns = place(dialogue, spoken)
        path = out / f"{dialogue.stem}.ogg"
        encode(samples, path)
        if dialogue.transcript:
            write_transcript(turns, path.with_suffix(".txt"))
        made.append((path.name, samples.shape[1] / SAMPLE_RATE, path.stat().st_size))
    (out / CORRUPT).write_bytes(corrupt_file())
    return made


def main() -> int:
    """Render into the folder named on the command line, else into the bundled archive."""
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else ARCHIVE
    try:
        made = render(out)
    except SynthesiserMissing as exc:
        print(exc, file=sys.stderr)
        return 1
    for name, seconds, size in made:
        print(f"{name:24} {seconds:6.2f} s {size:8,} bytes")
    print(f"{len(made)} calls, {sum(s for _, s, _ in made):.1f} s, {sum(b for _, _, b in made):,} bytes in {out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
