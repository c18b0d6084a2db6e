"""Decoding with PyAV (FFmpeg): any container and codec to float32 at 16 kHz, resampled once."""

import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np
from numpy.typing import NDArray

from ml.audio.errors import AudioEmpty, AudioMissing, AudioSilent, AudioTooLong, AudioTooShort, AudioUnreadable

SAMPLE_RATE = 16_000
MIN_DURATION_S = 0.1
#: Peaks below this (-60 dBFS) are no signal in any channel.
SILENT_PEAK = 1e-3
#: Undecodable packets tolerated in a recording that otherwise decodes: transmission errors, a cut end.
TOLERATED_ERRORS = 20
#: Nobody talks for longer, and more does not fit into a worker's memory.
MAX_DURATION_S = 12 * 3600
#: What headers may claim; beyond it, they are damaged or made to hurt.
MAX_CHANNELS = 32
RATES = range(1_000, 768_001)
#: Decoding that takes so long, and then goes slower than real time, is stuck.
PATIENCE_S = 60.0
#: Extensions that ingest takes for recordings.
EXTENSIONS = frozenset(
    f".{name}"
    for name in (
        *("wav", "flac", "ogg", "oga", "opus", "mp3", "m4a", "aac", "mp4", "m4v", "mov", "mkv", "webm"),
        *("wma", "amr", "3gp", "aif", "aiff", "au", "gsm", "mka", "avi"),
    )
)


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """What a container says; `duration_s` is None where it does not say."""

    duration_s: float | None
    sample_rate: int
    channels: int
    codec: str


@contextmanager
def _open(path: Path) -> Iterator[Any]:
    try:
        status = path.stat()
        # Opening a pipe or a device could wait for ever.
        if not stat.S_ISREG(status.st_mode):
            raise AudioUnreadable("it is not a regular file")
        if status.st_size == 0:
            raise AudioEmpty("the file has no content (0 bytes)")
        container = av.open(str(path), metadata_errors="replace")
    except (FileNotFoundError, PermissionError) as exc:
        raise AudioMissing(f"the file cannot be opened ({type(exc).__name__})") from exc
    except (av.error.FFmpegError, OSError, ValueError) as exc:
        raise AudioUnreadable("the file is not audio that can be decoded") from exc
    with container:
        if not container.streams.audio:
            raise AudioUnreadable("the file holds no audio track")
        context = container.streams.audio[0].codec_context
        if context is None:
            raise AudioUnreadable("there is no decoder for its audio track")
        if not context.sample_rate or not context.channels:
            raise AudioUnreadable("the audio track states neither rate nor channels")
        if context.sample_rate not in RATES or context.channels > MAX_CHANNELS:
            raise AudioUnreadable(f"the header claims {context.channels} channels at {context.sample_rate} Hz")
        yield container


def probe(path: Path) -> AudioInfo:
    """Read a recording's header; decodes nothing. Raises `AudioMissing`, `AudioEmpty` or `AudioUnreadable`."""
    with _open(path) as container:
        stream = container.streams.audio[0]
        context = stream.codec_context
        duration = None
        if stream.duration is not None and stream.time_base is not None:
            duration = float(stream.duration * stream.time_base)
        elif container.duration is not None:
            duration = container.duration / av.time_base
        if duration is not None and not 0 <= duration < 100 * MAX_DURATION_S:
            duration = None
        return AudioInfo(duration, context.sample_rate, context.channels, context.name)


def decode(path: Path, start_s: float = 0.0, end_s: float | None = None) -> NDArray[np.float32]:
    """Samples [channels, n] between two times, in memory at once; raises what `stream` raises."""
    return np.concatenate(list(stream(path, start_s, end_s)), axis=1)


def stream(path: Path, start_s: float = 0.0, end_s: float | None = None) -> Iterator[NDArray[np.float32]]:
    """The first audio track between two times, in blocks [channels, n] at 16 kHz, in [-1, 1]; at least one block.

    A few damaged packets are skipped, and what is no number becomes zero. Raises `AudioMissing`, `AudioUnreadable`,
    `AudioEmpty`, `AudioTooShort`, `AudioTooLong`, and `AudioSilent` when no channel of the whole recording holds a
    signal; most of it only after the last block, because no header can be trusted to say it before.
    """
    first, last = round(start_s * SAMPLE_RATE), None if end_s is None else round(end_s * SAMPLE_RATE)
    spent, given, bad, peak = 0.0, 0, 0, 0.0
    with _open(path) as container:
        passed = _skip(container, start_s)
        blocks = _gathered(_blocks(container, last, passed))
        while True:
            began = time.monotonic()
            block = next(blocks, None)
            # Only decoding counts: whoever takes the blocks may be slow.
            spent += time.monotonic() - began
            if block is None:
                break
            if passed + block.shape[1] > MAX_DURATION_S * SAMPLE_RATE:
                raise AudioTooLong(f"the recording is longer than {MAX_DURATION_S // 3600} hours")
            part = block[:, max(0, first - passed) : None if last is None else max(0, last - passed)]
            passed += block.shape[1]
            if spent > PATIENCE_S + passed / SAMPLE_RATE:
                raise AudioUnreadable("decoding it is slower than real time")
            if part.size:
                part, wrong = _finite(part)
                given, bad, peak = given + part.size, bad + wrong, max(peak, float(np.abs(part).max()))
                yield part
    if not passed:
        raise AudioEmpty("the file holds no samples")
    if passed < MIN_DURATION_S * SAMPLE_RATE:
        raise AudioTooShort(f"the recording lasts {passed / SAMPLE_RATE:.3f} s")
    if not given:
        raise AudioEmpty("the recording ends before the part that was asked for")
    if bad > 0.01 * given:
        raise AudioUnreadable(f"{bad / given:.0%} of the samples are not numbers")
    if first == 0 and last is None and peak < SILENT_PEAK:
        raise AudioSilent("the recording is silent in every channel")


def _gathered(blocks: Iterator[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
    """The same samples in blocks of a second or more: decoders give a few milliseconds at a time."""
    held: list[NDArray[np.float32]] = []
    for block in blocks:
        held.append(block)
        if sum(part.shape[1] for part in held) >= SAMPLE_RATE:
            yield np.concatenate(held, axis=1)
            held = []
    if held:
        yield np.concatenate(held, axis=1)


def _finite(block: NDArray[np.float32]) -> tuple[NDArray[np.float32], int]:
    """The block with zeros for what is no number, and how many those are."""
    wrong = ~np.isfinite(block)
    count = int(wrong.sum())
    return (np.where(wrong, np.float32(0), block) if count else block), count


def _skip(container: Any, start_s: float) -> int:
    """Move near to `start_s` where that is exact; returns the samples at 16 kHz that were left out.

    Only in WAV files of plain PCM: every other codec has packets that depend on those before, or that can be damaged
    and shift what follows. The place is a whole second, where the resampler's phase is that of the beginning, and
    lies at least one second before the start, so that its filter has settled.
    """
    second = int(start_s) - 1
    stream = container.streams.audio[0]
    plain = container.format.name == "wav" and stream.codec_context.name.startswith("pcm_")
    # A header that claims less than there is would make the seek stop short.
    if second < 1 or not plain or stream.time_base is None or stream.duration is None:
        return 0
    if start_s >= float(stream.duration * stream.time_base):
        return 0
    try:
        container.seek(round(second / stream.time_base), stream=stream)
    except av.error.FFmpegError:
        return 0
    return second * SAMPLE_RATE


def _blocks(container: Any, wanted: int | None, done: int) -> Iterator[NDArray[np.float32]]:
    """Everything from here on, until `wanted` samples are there, of which `done` lie behind."""
    stream = container.streams.audio[0]
    channels = stream.codec_context.channels
    layout = stream.codec_context.layout.name
    # Interleaved: PyAV reads the planes of frames with eight or more channels from the wrong place and crashes.
    resampler = av.AudioResampler(format="flt", layout=layout, rate=SAMPLE_RATE)
    skipped, errors = done, 0
    packets = container.demux(stream)
    while wanted is None or done < wanted:
        try:
            packet = next(packets, None)
            frames = packet.decode() if packet is not None else []
        except av.error.FFmpegError as exc:
            errors += 1
            if errors > TOLERATED_ERRORS or (isinstance(exc, av.error.EOFError)):
                if done == skipped:
                    raise AudioUnreadable("the audio data is damaged from the start") from exc
                break
            continue
        if packet is None:
            break
        for frame in frames:
            for out in resampler.resample(frame):
                block = out.to_ndarray().reshape(-1, channels).T
                done += block.shape[1]
                yield block
    if done == skipped and errors:
        raise AudioUnreadable("no part of the audio data can be decoded")
    if done > skipped:
        # The filter still holds the last milliseconds.
        for out in resampler.resample(None):
            yield out.to_ndarray().reshape(-1, channels).T


def channel_samples(samples: NDArray[np.float32], channel: int | None) -> NDArray[np.float32]:
    """One channel [n] of [channels, n], or the mix of all for None."""
    return np.asarray(samples.mean(axis=0) if channel is None else samples[channel], dtype=np.float32)
