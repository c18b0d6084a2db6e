"""What is known of a speaker's voice: one place for aligning, evaluating, adapting and judging models."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ml.alignment import speakers
from ml.features.speaker import UTTERANCES_PER_SPEAKER, speaker_vector, usual, whole_vector

Wave = NDArray[np.float32]


class HeardVoice(NamedTuple):
    """What one utterance says of a voice; None where it is too short or silent for it."""

    #: [256], of unit length.
    embedding: NDArray[np.float32] | None
    #: [STATISTICS] by signal processing.
    sound: NDArray[np.float32] | None


#: Waveforms [n] at 16 kHz to what each says of a voice.
Hear = Callable[[Sequence[Wave]], Sequence[HeardVoice]]


def hear_voices(waves: Sequence[Wave]) -> list[HeardVoice]:
    """Of the first eight seconds of each waveform [n] at 16 kHz."""
    from ml.features.voice import wave_statistics  # imports torch

    beginnings = [wave[: round(speakers.MAX_EMBED_S * speakers.SAMPLE_RATE)] for wave in waves]
    embeddings = speakers.embed_utterances(beginnings) if beginnings else []
    return [HeardVoice(one, wave_statistics(wave)) for one, wave in zip(embeddings, beginnings, strict=True)]


class KnownVoice:
    """A speaker, utterance by utterance, until a hundred have been heard."""

    def __init__(self) -> None:
        self._heard: list[HeardVoice] = []

    @property
    def complete(self) -> bool:
        """Whether more utterances would change nothing."""
        return sum(own.embedding is not None for own in self._heard) >= UTTERANCES_PER_SPEAKER

    def add(self, heard: Sequence[HeardVoice]) -> None:
        """The next utterances, in their order."""
        self._heard += heard

    @property
    def embedding(self) -> NDArray[np.float32]:
        """[256], the mean; zeros of none."""
        return speaker_vector([own.embedding for own in self._heard])

    @property
    def usual(self) -> NDArray[np.float32]:
        """[USUAL]: how the voice usually sounds."""
        return usual([own.sound for own in self._heard[:UTTERANCES_PER_SPEAKER]])

    @property
    def vector(self) -> NDArray[np.float32]:
        """[VECTOR]: both, as speech models are given them."""
        return whole_vector(self.embedding, self.usual)
