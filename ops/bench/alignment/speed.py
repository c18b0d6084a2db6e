"""How fast an aligner is: as a multiple of real time, many pieces at once and one at a time."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from ml.alignment.aligner import Aligner, Piece
from ops.bench.alignment.reference import Reference


@dataclass(frozen=True, slots=True)
class Speed:
    """Seconds of audio aligned per second of the clock, and per second of processor time, on this machine."""

    audio_s: float
    realtime: float
    one_by_one: float
    per_core: float


def measure_speed(aligner: Aligner, references: Sequence[Reference]) -> Speed:
    """Align the same utterances in one call and in one call each; the models are loaded before."""
    aligner.preload()
    pieces = [Piece(reference.samples, reference.written, "en") for reference in references]
    audio_s = sum(len(piece.samples) for piece in pieces) / 16_000
    aligner.align(pieces[:1])
    started, worked = time.monotonic(), time.process_time()
    aligner.align(pieces)
    together, worked = time.monotonic() - started, time.process_time() - worked
    started = time.monotonic()
    for piece in pieces:
        aligner.align([piece])
    return Speed(audio_s, audio_s / together, audio_s / (time.monotonic() - started), audio_s / worked)
