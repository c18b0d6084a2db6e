"""A profile version at work, built only from its frozen specification."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.emotions import EMOTIONS
from ml.encoders.speech import MIN_SAMPLES
from ml.inference.extract import Extract
from ml.inference.sides import SpeechSide, TextSide, load_speech, load_text
from ml.models.fusion import score_fusion, to_label_set
from ml.profiles.profile import check_version


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
        """Run both encoders: frames and token vectors, and notes on what an utterance lacks.

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
            tokens = self._text.tokens(texts)
        return Extract(self._speech.frames([item.samples for item in items]), tokens, notes)

    def speech(self, extract: Extract, speaker_vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """Probabilities [N, 7] by voice; `speaker_vectors` [N, VECTOR]. NaN rows where an utterance gave no frame."""
        own = self._speech.scores(extract.frames, speaker_vectors)
        return to_label_set(own, tuple(self._spec["speech"]["labels"]), self._labels, EMOTIONS)

    def text(self, extract: Extract) -> NDArray[np.float64]:
        """Probabilities [N, 7] by words; NaN rows where there is no usable text."""
        if self._text is None:
            return np.full((len(extract.frames), len(EMOTIONS)), np.nan)
        own = self._text.scores(extract.tokens)
        return to_label_set(own, tuple(self._spec["text"]["labels"]), self._labels, EMOTIONS)

    def fuse(self, speech: NDArray[np.float64], text: NDArray[np.float64]) -> NDArray[np.float64]:
        """Fused probabilities [N, 7]: NaN rows only where neither side has a value."""
        fusion = self._spec["fusion"]
        return score_fusion(speech, text, w_speech=fusion["w_speech"], w_text=fusion["w_text"])

    def _readable(self, item: UtteranceAudio) -> tuple[str, str | None]:
        """The text that the text model may read ("": none), and why there is none."""
        if self._text is None:
            return "", None
        text = self._text.spoken(item.text)
        if not text:
            return "", "no_text"
        languages = self._spec["text"]["languages"]
        if languages and (item.language or "").lower().partition("-")[0] not in languages:
            return "", "text_language_not_supported"
        return text, None
