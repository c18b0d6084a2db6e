"""Where speech is: silero-vad over blocks of any length of recording.

A recording is read twice: for its level, then for the probability of speech in each frame of 32 ms, with the network's
state carried from block to block, so that neither the length nor the block size changes what is found.
"""

import functools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.audio.decode import SAMPLE_RATE
from ml.audio.reader import Audio
from ml.pinned import SILERO_VAD, verify

Segment = tuple[float, float]

#: Samples per frame, and those of the frame before that the network sees too.
FRAME, CONTEXT = 512, 64
FRAME_S = FRAME / SAMPLE_RATE
#: Frames that pass through the network at once: half a minute.
BLOCK_FRAMES = 1024
#: Probability of speech that starts a segment, and that ends it. The second pair is tried when the first finds nothing
#: at all: shouting and sobbing are less like speech to the network.
THRESHOLDS = ((0.5, 0.15), (0.2, 0.05))
#: Shorter pauses do not end a segment; shorter segments are noises.
MIN_PAUSE_MS, MIN_SPEECH_MS = 350, 200
#: The loudest thousandth of the samples is brought to this level: quiet lines (-40 dB) are as much speech as loud ones.
LOUD, LOUD_QUANTILE, MAX_GAIN = 0.5, 0.999, 20.0


@dataclass(frozen=True, slots=True)
class Speech:
    """What was found in one channel: segments in order, and per frame (32 ms) the level in dB full scale."""

    segments: tuple[Segment, ...]
    levels: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Network:
    """The parts of silero-vad's network. Its own loop over frames gives the same, ten times slower."""

    encode: Any
    recurrent: Any
    decode: Any


@functools.cache
def _network() -> _Network:
    import torch

    verify(SILERO_VAD)
    threads = torch.get_num_threads()
    from silero_vad import load_silero_vad

    # The package sets one thread for the whole process when it is imported.
    torch.set_num_threads(threads)
    # 16 kHz; the other half of the package's model is for 8 kHz.
    model = load_silero_vad()._model
    cell = model.decoder.rnn
    recurrent = torch.nn.LSTM(cell.weight_ih.shape[1], cell.weight_hh.shape[1])
    recurrent.load_state_dict({f"{name}_l0": value for name, value in cell.state_dict().items()})
    return _Network(lambda frames: model.encoder(model.run_extractors(frames)), recurrent.eval(), model.decoder.decoder)


def preload() -> None:
    """Load the model now instead of at the first recording."""
    _network()


def find_speech(audio: Audio, channel: int | None) -> Speech:
    """Speech in one channel of a recording (None: the mix), in memory that grows with its length only by some bytes a
    frame; deterministic."""
    size = BLOCK_FRAMES * FRAME
    return _find(lambda: audio.blocks(channel, size))


def speech_segments(samples: NDArray[np.float32]) -> list[Segment]:
    """Speech in [n] samples at 16 kHz, as (start_s, end_s) in order; what `find_speech` finds in the same samples."""
    size = BLOCK_FRAMES * FRAME
    return list(_find(lambda: (samples[i : i + size] for i in range(0, len(samples), size))).segments)


def _find(blocks: Callable[[], Iterable[NDArray[np.float32]]]) -> Speech:
    from silero_vad import get_speech_timestamps_from_probs

    gain, length = _gain(blocks())
    probabilities, levels = _listen(blocks(), gain)
    for threshold, end in THRESHOLDS:
        found = get_speech_timestamps_from_probs(
            probabilities.tolist(),
            sampling_rate=SAMPLE_RATE,
            threshold=threshold,
            neg_threshold=end,
            min_speech_duration_ms=MIN_SPEECH_MS,
            min_silence_duration_ms=MIN_PAUSE_MS,
            speech_pad_ms=0,
            audio_length_samples=length,
        )
        if found:
            break
    return Speech(tuple((item["start"] / SAMPLE_RATE, item["end"] / SAMPLE_RATE) for item in found), levels)


def _gain(blocks: Iterable[NDArray[np.float32]]) -> tuple[float, int]:
    """The factor that brings loud samples to `LOUD`, and the number of samples.

    The quantile comes from a histogram of levels in steps of 0.1 dB, which can be gathered block by block.
    """
    counts = np.zeros(1401, np.int64)
    for block in blocks:
        decibels = 20 * np.log10(np.maximum(np.abs(block), 1e-7))
        counts += np.bincount(np.clip(np.rint(10 * (decibels + 140)), 0, 1400).astype(np.int64), minlength=1401)
    length = int(counts.sum())
    if not length:
        return 1.0, 0
    level = np.searchsorted(np.cumsum(counts), LOUD_QUANTILE * length) / 10 - 140
    return float(min(MAX_GAIN, LOUD / 10 ** (level / 20))), length


def _listen(blocks: Iterable[NDArray[np.float32]], gain: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Probability of speech and level of each frame."""
    import torch

    network = _network()
    probabilities: list[NDArray[np.float32]] = [np.zeros(0, np.float32)]
    levels: list[NDArray[np.float32]] = [np.zeros(0, np.float32)]
    state: Any = None
    with torch.inference_mode():
        for frames, before in _framed(blocks):
            power = np.square(frames).mean(axis=1)
            levels.append((10 * np.log10(np.maximum(power, 1e-12))).astype(np.float32))
            loud = np.clip(np.concatenate([before, frames], axis=1) * np.float32(gain), -1, 1)
            encoded = network.encode(torch.from_numpy(loud)).squeeze(-1)
            hidden, state = network.recurrent(encoded[:, None], state)
            probabilities.append(network.decode(hidden.squeeze(1)[..., None]).flatten().numpy())
    return np.concatenate(probabilities), np.concatenate(levels)


def _framed(
    blocks: Iterable[NDArray[np.float32]],
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Frames [k, 512] of each block, the last padded with zeros, and the 64 samples [k, 64] before each."""
    last = np.zeros((1, CONTEXT), np.float32)
    for block in blocks:
        frames = np.pad(block, (0, -len(block) % FRAME)).reshape(-1, FRAME)
        before = np.concatenate([last, frames[:-1, -CONTEXT:]])
        last = frames[-1:, -CONTEXT:]
        yield frames, before
