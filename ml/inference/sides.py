"""The two models of a profile, whatever their kind: what one side has to do, and loading what a specification pins."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ml.errors import ModelError
from ml.inference.hub import HubSpeech, HubText
from ml.inference.makiuchi import MakiuchiSpeech, MakiuchiText

Arrays = list[NDArray[np.float32]]


class SpeechSide(Protocol):
    """Waveforms to what travels between stages, and that to emotions."""

    def frames(self, waveforms: Sequence[NDArray[np.float32]]) -> Arrays:
        """[frames, width] of each waveform [samples] at 16 kHz; no frame where it is too short."""

    def scores(
        self, frames: Sequence[NDArray[np.float32]], speaker_vectors: NDArray[np.float32]
    ) -> NDArray[np.float64]:
        """Probabilities [N, labels of the side]; NaN rows where there is no frame."""


class TextSide(Protocol):
    """Texts to what travels between stages, and that to emotions."""

    def spoken(self, text: str | None) -> str:
        """The words of a transcript that the model reads, "" where there are none."""

    def tokens(self, texts: Sequence[str]) -> Arrays:
        """[tokens, width] of each text; no token where it is empty."""

    def scores(self, tokens: Sequence[NDArray[np.float32]]) -> NDArray[np.float64]:
        """Probabilities [N, labels of the side]; NaN rows where there is no token."""


def load_speech(side: dict[str, Any], device: str) -> SpeechSide:
    """The speech model of a specification's `speech`; raises `ModelError` when it is missing, changed or unusable."""
    match side["kind"]:
        case "makiuchi-speech" | "voice-speech":
            return MakiuchiSpeech.load(side, device)
        case "hub-speech":
            return HubSpeech.load(side, device)
    raise ModelError(f"{side['name']} is a {side['kind']} model, which scores no speech")


def load_text(side: dict[str, Any], device: str) -> TextSide:
    """The text model of a specification's `text`; raises `ModelError` when it is missing, changed or unusable."""
    match side["kind"]:
        case "makiuchi-text":
            return MakiuchiText.load(side, device)
        case "hub-text":
            return HubText.load(side, device)
    raise ModelError(f"{side['name']} is a {side['kind']} model, which scores no text")
