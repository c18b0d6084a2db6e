"""Silence cut out of words.

A hidden Markov model may explain a pause by the phones beside it: words at the ends of an utterance then begin or end
up to 0.2 s too wide. Where a word stands beside silence, its edge is moved to where the sound begins or ends.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ml.alignment.types import Phone, Word

RATE = 16_000
#: Energy is measured every 5 ms over 20 ms.
HOP, WINDOW = 80, 320
#: A frame is quiet below this share of the way from the quietest to the loudest speech, in decibels.
QUIET = 0.35
#: With less distance than this between the two, noise hides the pauses and nothing is cut.
MIN_RANGE_DB = 15.0
#: Of the phone at an edge so much stays.
KEEP_S = 0.03
#: A silence within which words meet, unless it is shorter: then it is the closure of a stop.
MIN_PAUSE_S = 0.12


def quiet_frames(samples: NDArray[np.float32]) -> NDArray[np.bool_] | None:
    """Which 5 ms frames of [n] samples at 16 kHz are quiet; None where noise leaves nothing to tell."""
    if len(samples) < WINDOW:
        return None
    # High frequencies count more: a fricative is no silence, a hum is.
    sharp = np.append(samples[:1], samples[1:] - 0.97 * samples[:-1]).astype(np.float64)
    padded = np.pad(sharp, (WINDOW // 2 - HOP // 2, WINDOW))
    total = np.concatenate(([0.0], np.cumsum(np.square(padded))))
    starts = np.arange(0, len(samples), HOP)
    level = 10 * np.log10((total[starts + WINDOW] - total[starts]) / WINDOW + 1e-10)
    low, high = np.quantile(level, [0.05, 0.95])
    if high - low < MIN_RANGE_DB:
        return None
    return np.asarray(level < low + QUIET * (high - low))


def trim(
    samples: NDArray[np.float32], words: Sequence[Word], phones: Sequence[Sequence[Phone]]
) -> tuple[list[Word], list[list[Phone]]]:
    """Words, and the phones of each, without the silence at their edges; times are seconds in [n] samples."""
    quiet = quiet_frames(samples)
    if quiet is None:
        return list(words), [list(own) for own in phones]
    trimmed, kept = list(words), [list(own) for own in phones]
    for index in range(len(words)):
        before = words[index - 1].end_s if index else -1.0
        after = words[index + 1].start_s if index + 1 < len(words) else float("inf")
        _trim_start(quiet, trimmed, kept, index, words[index].start_s - before > 0.005)
        _trim_end(quiet, trimmed, kept, index, after - words[index].end_s > 0.005)
    return trimmed, kept


def _trim_start(
    quiet: NDArray[np.bool_], words: list[Word], phones: list[list[Phone]], index: int, beside_silence: bool
) -> None:
    word, first = words[index], phones[index][0]
    run = _run(quiet, word.start_s, +1)
    if not beside_silence and run + _run(quiet, word.start_s, -1) < MIN_PAUSE_S:
        return
    start = min(word.start_s + run, max(word.start_s, first.end_s - KEEP_S))
    words[index] = replace(word, start_s=round(start, 3))
    phones[index][0] = replace(first, start_s=round(start, 3))


def _trim_end(
    quiet: NDArray[np.bool_], words: list[Word], phones: list[list[Phone]], index: int, beside_silence: bool
) -> None:
    word, last = words[index], phones[index][-1]
    run = _run(quiet, word.end_s, -1)
    if not beside_silence and run + _run(quiet, word.end_s, +1) < MIN_PAUSE_S:
        return
    end = max(word.end_s - run, min(word.end_s, last.start_s + KEEP_S))
    words[index] = replace(word, end_s=round(end, 3))
    phones[index][-1] = replace(last, end_s=round(end, 3))


def _run(quiet: NDArray[np.bool_], at_s: float, step: int) -> float:
    """How long it stays quiet from a time on, forwards (+1) or backwards (-1), in seconds."""
    frame = round(at_s * RATE / HOP)
    ahead = quiet[frame:] if step > 0 else quiet[max(0, frame - 1) :: -1] if frame > 0 else quiet[:0]
    loud = np.flatnonzero(~ahead)
    return float((loud[0] if len(loud) else len(ahead)) * HOP / RATE)
