"""What an alignment consists of. All times are seconds from the start of the recording."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Word:
    """One spoken word; `confidence` in [0, 1], None where the aligner gives none."""

    text: str
    start_s: float
    end_s: float
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Phone:
    """One phone: ARPAbet without stress digit from pocketsphinx ("SIL" for silence), else as its source writes it."""

    label: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Syllable:
    """One syllable; `label` is its phones joined by "-", or its letters where there are no phones."""

    label: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Utterance:
    """One stretch of one speaker's speech, `[start_s, end_s)`.

    `channel` is the audio channel it is heard on (None: the mix of all). `speaker` is a key of `Alignment.speakers`.
    `words`, `phones` and `syllables` are None where there is no text or no aligner for it; `quality` then says why.
    Where a transcript gives the utterance's times, they stay as given, and its words where they are heard: these may
    begin 0.15 s before `start_s` and end 0.15 s after `end_s`. Times that are given by hand are no more exact.
    """

    number: int
    speaker: str
    start_s: float
    end_s: float
    channel: int | None = None
    text: str | None = None
    language: str | None = None
    words: tuple[Word, ...] | None = None
    phones: tuple[Phone, ...] | None = None
    syllables: tuple[Syllable, ...] | None = None
    quality: str | None = None


@dataclass(frozen=True, slots=True)
class Speaker:
    """One voice of a recording.

    `named` tells a name that a transcript or manifest gives (an identity across recordings) from a label of our own
    ("speaker 1"), which belongs to this recording only. `embedding` is float32 [256], `usual` how the voice usually
    sounds (`ml.features.speaker.usual`; empty: unknown).
    """

    label: str
    named: bool
    embedding: NDArray[np.float32]
    channel: int | None = None
    usual: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, dtype=np.float32))


@dataclass(frozen=True, slots=True)
class Alignment:
    """The immutable result of aligning one recording; `quality` holds notes about the whole recording."""

    duration_s: float
    aligner: str
    language: str | None
    speakers: dict[str, Speaker]
    utterances: tuple[Utterance, ...]
    quality: dict[str, object] = field(default_factory=dict)
