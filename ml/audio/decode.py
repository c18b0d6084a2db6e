"""Decoding with PyAV (FFmpeg): any container and codec to float32 at 16 kHz, resampled once."""

import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

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


class _Growing:
    """Samples [channels, n] that come in blocks, without holding them twice."""

    def __init__(self, expected: int) -> None:
        self._expected, self._length = max(expected, SAMPLE_RATE), 0
        self._buffer: NDArray[np.float32] | None = None
        self.bad, self.peak = 0, 0.0

    def add(self, block: NDArray[np.float32]) -> None:
        """Append a block; what is no number becomes zero and is counted."""
        bad = ~np.isfinite(block)
        if bad.any():
            self.bad += int(bad.sum())
            block = np.where(bad, np.float32(0), block)
        if block.size:
            self.peak = max(self.peak, float(np.abs(block).max()))
        end = self._length + block.shape[1]
        if self._buffer is None:
            self._buffer = np.empty((len(block), max(self._expected, end)), np.float32)
        elif end > self._buffer.shape[1]:
            grown = np.empty((len(block), max(end, 3 * self._buffer.shape[1] // 2)), np.float32)
            grown[:, : self._length] = self._buffer[:, : self._length]
            self._buffer = grown
        self._buffer[:, self._length : end] = block
        self._length = end

    def samples(self) -> NDArray[np.float32] | None:
        """Everything so far, None when there was no block."""
        return None if self._buffer is None else self._buffer[:, : self._length]


def decode(path: Path, start_s: float = 0.0, end_s: float | None = None) -> NDArray[np.float32]:
    """Samples [channels, n] of the first audio track between two times, 16 kHz, in [-1, 1].

    A few damaged packets are skipped. Raises `AudioMissing`, `AudioUnreadable`, `AudioEmpty`, `AudioTooShort`,
    `AudioTooLong`, and `AudioSilent` when no channel of the whole recording holds a signal.
    """
    first, last = round(start_s * SAMPLE_RATE), None if end_s is None else round(end_s * SAMPLE_RATE)
    began, passed = time.monotonic(), 0
    with _open(path) as container:
        stated_s = (container.duration or 0) / av.time_base if end_s is None else end_s - start_s
        kept = _Growing(round(min(max(stated_s, 0.0) + 1.0, MAX_DURATION_S) * SAMPLE_RATE))
        for block in _blocks(container, last):
            if passed + block.shape[1] > MAX_DURATION_S * SAMPLE_RATE:
                raise AudioTooLong(f"the recording is longer than {MAX_DURATION_S // 3600} hours")
            # Blocks before the start are dropped as they come, so that a late part of a long recording stays small.
            if passed + block.shape[1] > first:
                kept.add(block[:, max(0, first - passed) : None if last is None else max(0, last - passed)])
            passed += block.shape[1]
            if time.monotonic() - began > PATIENCE_S + passed / SAMPLE_RATE:
                raise AudioUnreadable("decoding it is slower than real time")
    if not passed:
        raise AudioEmpty("the file holds no samples")
    if passed < MIN_DURATION_S * SAMPLE_RATE:
        raise AudioTooShort(f"the recording lasts {passed / SAMPLE_RATE:.3f} s")
    samples = kept.samples()
    if samples is None:
        raise AudioEmpty("the recording ends before the part that was asked for")
    if kept.bad > 0.01 * samples.size:
        raise AudioUnreadable(f"{kept.bad / samples.size:.0%} of the samples are not numbers")
    if first == 0 and last is None and kept.peak < SILENT_PEAK:
        raise AudioSilent("the recording is silent in every channel")
    return samples


def _blocks(container: Any, wanted: int | None) -> Iterator[NDArray[np.float32]]:
    stream = container.streams.audio[0]
    channels = stream.codec_context.channels
    layout = stream.codec_context.layout.name
    # Interleaved: PyAV reads the planes of frames with eight or more channels from the wrong place and crashes.
    resampler = av.AudioResampler(format="flt", layout=layout, rate=SAMPLE_RATE)
    done, errors = 0, 0
    packets = container.demux(stream)
    while wanted is None or done < wanted:
        try:
            packet = next(packets, None)
            frames = packet.decode() if packet is not None else []
        except av.error.FFmpegError as exc:
            errors += 1
            if errors > TOLERATED_ERRORS or (isinstance(exc, av.error.EOFError)):
                if not done:
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
    if not done and errors:
        raise AudioUnreadable("no part of the audio data can be decoded")
    if done:
        # The filter still holds the last milliseconds.
        for out in resampler.resample(None):
            yield out.to_ndarray().reshape(-1, channels).T


def choose_channels(samples: NDArray[np.float32], mode: Literal["auto", "split", "mix"]) -> tuple[int, ...]:
    """Which channels of [channels, n] to analyse, each as a voice of its own; () means the mix of all.

    "split" takes each channel with a signal. "auto" splits two channels that carry different voices (live and
    uncorrelated), takes the live one of a recording whose other channels are silent, and mixes everything else.
    """
    live = tuple(int(i) for i in np.flatnonzero(np.abs(samples).max(axis=1) >= SILENT_PEAK))
    if mode == "mix" or len(samples) == 1:
        return ()
    if mode == "split" or len(live) == 1:
        return live
    return live if len(live) == 2 and _correlation(samples[list(live)]) <= 0.5 else ()


def channel_samples(samples: NDArray[np.float32], channel: int | None) -> NDArray[np.float32]:
    """One channel [n] of [channels, n], or the mix of all for None."""
    return np.asarray(samples.mean(axis=0) if channel is None else samples[channel], dtype=np.float32)


def _correlation(pair: NDArray[np.float32]) -> float:
    left, right = (channel.astype(np.float64) - channel.mean(dtype=np.float64) for channel in pair)
    power = float(np.sqrt((left**2).sum() * (right**2).sum()))
    return abs(float((left * right).sum())) / power if power else 1.0
