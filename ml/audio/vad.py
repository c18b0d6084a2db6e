"""Where speech is: silero-vad, and cutting its segments into utterances."""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.audio.decode import SAMPLE_RATE

Segment = tuple[float, float]

#: Probability of speech that starts a segment; the second is tried when the first finds nothing at all.
THRESHOLDS = (0.5, 0.2)


@functools.cache
def _model() -> Any:
    import torch

    threads = torch.get_num_threads()
    from silero_vad import load_silero_vad

    model = load_silero_vad()
    # The package sets one thread for the whole process when it is imported.
    torch.set_num_threads(threads)
    return model


def preload() -> None:
    """Load the model now instead of at the first recording."""
    _model()


def speech_segments(samples: NDArray[np.float32]) -> list[Segment]:
    """Speech in [n] samples at 16 kHz, as (start_s, end_s) in order; deterministic."""
    import torch
    from silero_vad import get_speech_timestamps

    model = _model()
    # Quiet lines (-40 dB) are as much speech as loud ones.
    peak = float(np.quantile(np.abs(samples), 0.999)) if len(samples) else 0.0
    scaled = samples * np.float32(min(20.0, 0.5 / peak)) if peak > 0 else samples
    waveform = torch.from_numpy(np.clip(scaled, -1, 1))
    # Shouting and sobbing are less like speech to the model: where it is sure of nothing, less has to do.
    for threshold in THRESHOLDS:
        found = _timestamps(get_speech_timestamps, waveform, model, threshold)
        if found:
            break
    return [(item["start"] / SAMPLE_RATE, item["end"] / SAMPLE_RATE) for item in found]


def _timestamps(detect: Any, waveform: Any, model: Any, threshold: float) -> list[dict[str, int]]:
    model.reset_states()
    found: list[dict[str, int]] = detect(
        waveform,
        model,
        sampling_rate=SAMPLE_RATE,
        threshold=threshold,
        min_speech_duration_ms=150,
        min_silence_duration_ms=200,
        speech_pad_ms=0,
    )
    return found


def cut_to_utterances(
    segments: Sequence[Segment],
    duration_s: float,
    *,
    max_s: float = 15.0,
    join_gap_s: float = 0.35,
    pad_s: float = 0.1,
) -> list[Segment]:
    """Utterances of at most `max_s`: near segments joined, long ones cut evenly, padded without overlapping."""
    joined: list[Segment] = []
    for start, end in segments:
        if joined and start - joined[-1][1] <= join_gap_s and end - joined[-1][0] <= max_s:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    pieces: list[Segment] = []
    for start, end in joined:
        parts = max(1, int(np.ceil((end - start) / max_s)))
        step = (end - start) / parts
        pieces += [(start + i * step, start + (i + 1) * step) for i in range(parts)]
    padded: list[Segment] = []
    for index, (start, end) in enumerate(pieces):
        before = pieces[index - 1][1] if index else 0.0
        after = pieces[index + 1][0] if index + 1 < len(pieces) else duration_s
        padded.append(
            (
                max(start - min(pad_s, (start - before) / 2), 0.0),
                min(end + min(pad_s, (after - end) / 2), duration_s),
            )
        )
    return padded
