"""What a transcriber is: it writes down pieces of speech, many at once."""

import functools
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ml.alignment.tokens import tokens
from ml.alignment.types import Word
from ml.transcription.checkpoint import locate

#: One checkpoint runs one list of pieces at a time, whoever asks.
lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Heard:
    """What was recognised in a piece: "" when nothing was. Words are in seconds from its start.

    `words` is None where the checkpoint does not tell when they are spoken.
    """

    text: str = ""
    words: tuple[Word, ...] | None = None


def spoken_words(written: str, start_s: float, end_s: float, confidence: float) -> list[Word]:
    """The words of what was recognised between two times, without punctuation; several share the time by length."""
    found = tokens(written)
    letters = [0, *accumulate(len(token) for token in found)]
    at = [float(start_s + (end_s - start_s) * count / max(1, letters[-1])) for count in letters]
    return [
        Word(token, round(first, 3), round(last, 3), round(float(confidence), 3))
        for token, first, last in zip(found, at, at[1:], strict=False)
    ]


class Transcriber(Protocol):
    """A loaded checkpoint. What it hears in a piece does not depend on the pieces it is given together with."""

    @property
    def max_s(self) -> float:
        """Longer pieces are not heard to their end."""

    def knows(self, language: str) -> bool:
        """Whether speech of a language (ISO 639-1) can be recognised, as far as the checkpoint says."""

    def detect(self, waveforms: Sequence[NDArray[np.float32]]) -> str | None:
        """The language (ISO 639-1) that is spoken in waveforms [samples] at 16 kHz; None: it cannot tell."""

    def transcribe(self, waveforms: Sequence[NDArray[np.float32]], language: str | None) -> list[Heard]:
        """Write down waveforms [samples] at 16 kHz."""


@functools.lru_cache(maxsize=1)
def load(written: str) -> Transcriber:
    """The transcriber of a name, kept until another is asked for; on a GPU where there is one.

    Raises the errors of `ml.checkpoints.errors`.
    """
    folder, kind = locate(written)
    if kind == "whisper":
        from ml.transcription.whisper import WhisperTranscriber

        return WhisperTranscriber.load(folder)
    from ml.transcription.ctc import CtcTranscriber

    return CtcTranscriber.load(folder)


def preload(written: str) -> None:
    """Load now instead of at the first recording."""
    with lock:
        load(written)
