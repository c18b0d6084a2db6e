"""A profile version at work, built only from its frozen specification."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.emotions import EMOTIONS
from ml.encoders.speech import MAX_PASS_S, MIN_SAMPLES, SAMPLE_RATE
from ml.inference.extract import Extract
from ml.inference.sides import SpeechSide, TextSide, load_speech, load_text
from ml.models.fusion import score_fusion, to_label_set
from ml.profiles.profile import check_version

#: Longer utterances are encoded in pieces of at most this many samples, so memory does not grow with them.
MAX_PIECE = round(MAX_PASS_S * SAMPLE_RATE)


@dataclass(frozen=True, slots=True)
class UtteranceAudio:
    """One utterance to analyse: samples [n] at 16 kHz, and its text where there is one."""

    samples: NDArray[np.float32]
    text: str | None = None
    #: ISO 639-1, with or without a region ("en", "en-GB").
    language: str | None = None


class Engine:
    """The models of one profile version."""

    def __init__(self, spec: dict[str, Any], speech: SpeechSide, text: TextSide | None) -> None:
        self._spec, self._speech, self._text = spec, speech, text
        self._labels = tuple(spec["labels"])

    @classmethod
    def load(cls, spec: dict[str, Any], device: str = "cpu") -> "Engine":
        """Load what a specification names, by hash; raises `ModelError` (`BundleMissing`, `BundleCorrupt`)."""
        check_version(spec)
        text = load_text(spec["text"], device) if "text" in spec else None
        return cls(spec, load_speech(spec["speech"], device), text)

    def extract(self, items: Sequence[UtteranceAudio]) -> Extract:
        """Run both encoders: layer-averaged frames and token vectors, and notes on what an utterance lacks.

        Notes: "audio_too_short" (below 25 ms), "no_text", "text_language_not_supported"; the latter two only where the
        profile has a text model.
        """
        texts, notes = [], []
        for item in items:
            text, note = self._readable(item)
            texts.append(text)
            too_short = "audio_too_short" if len(item.samples) < MIN_SAMPLES else None
            notes.append(" ".join(filter(None, (too_short, note))) or None)
        tokens = [np.zeros((0, 1), dtype=np.float32)] * len(items)
        if self._text is not None:
            tokens = self._text.encoder.encode(texts, padded_to=self._text.head.padded_to)
        return Extract(self._frames([item.samples for item in items]), tokens, notes)

    def speech(self, extract: Extract, speaker_vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """Probabilities [N, 7] by voice; `speaker_vectors` [N, 256]. NaN rows where an utterance gave no frame."""
        side = self._spec["speech"]
        own = self._speech.head.predict(extract.frames, speaker_vectors, temperature=side["temperature"])
        return to_label_set(own, tuple(side["labels"]), self._labels, EMOTIONS)

    def text(self, extract: Extract) -> NDArray[np.float64]:
        """Probabilities [N, 7] by words; NaN rows where there is no usable text."""
        if self._text is None:
            return np.full((len(extract.frames), len(EMOTIONS)), np.nan)
        side = self._spec["text"]
        own = self._text.head.predict(extract.tokens, temperature=side["temperature"])
        return to_label_set(own, tuple(side["labels"]), self._labels, EMOTIONS)

    def fuse(self, speech: NDArray[np.float64], text: NDArray[np.float64]) -> NDArray[np.float64]:
        """Fused probabilities [N, 7]: NaN rows only where neither side has a value."""
        fusion = self._spec["fusion"]
        return score_fusion(speech, text, w_speech=fusion["w_speech"], w_text=fusion["w_text"])

    def _readable(self, item: UtteranceAudio) -> tuple[str, str | None]:
        """The text that the text model may read ("": none), and why there is none."""
        if self._text is None:
            return "", None
        text = self._text.head.spoken(item.text)
        if not text:
            return "", "no_text"
        languages = self._spec["text"]["languages"]
        if languages and (item.language or "").lower().partition("-")[0] not in languages:
            return "", "text_language_not_supported"
        return text, None

    def _frames(self, waveforms: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        pieces = [np.array_split(wave, -(-max(len(wave), 1) // MAX_PIECE)) for wave in waveforms]
        encoded = iter(
            self._speech.encoder.encode([piece for own in pieces for piece in own], self._speech.layer_weights)
        )
        return [np.concatenate([next(encoded) for _ in own]) for own in pieces]
