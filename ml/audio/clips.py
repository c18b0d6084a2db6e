"""A stretch of a recording as a file of its own: what an annotator hears, and what a trainer reads."""

import os
from pathlib import Path

import soundfile

from ml.audio.decode import SAMPLE_RATE, channel_samples, decode


def write_clip(audio: Path, start_s: float, end_s: float, channel: int | None, out: Path) -> None:
    """Write one channel (None: the mix of all) between two times as FLAC, 16 kHz, 16 bit; whole or not at all.

    Raises what `decode` raises. A channel that the recording does not have is the mix.
    """
    samples = decode(audio, start_s, end_s)
    wanted = channel_samples(samples, channel if channel is not None and channel < len(samples) else None)
    draft = out.with_name(f".{out.name}.{os.getpid()}")
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        soundfile.write(draft, wanted, SAMPLE_RATE, format="FLAC", subtype="PCM_16")
        os.replace(draft, out)
    finally:
        draft.unlink(missing_ok=True)


def clip_name(sha256: str, start_s: float, end_s: float) -> str:
    """A name that the same stretch of the same content always has."""
    return f"{sha256[:16]}-{round(start_s * 1000):08d}-{round(end_s * 1000):08d}.flac"
