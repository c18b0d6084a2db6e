"""A profile version at work, built only from its frozen specification."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.bundles import load_bundle
from ml.emotions import EMOTIONS
from ml.encoders.speech import MIN_SAMPLES, SpeechEncoder
from ml.encoders.text import TextEncoder
from ml.errors import ModelError
from ml.inference.extract import Extract
from ml.models.fusion import score_fusion, to_label_set
from ml.models.makiuchi.speech import SpeechEmotionModel
from ml.models.makiuchi.text import TextEmotionCnn


@dataclass(frozen=True, slots=True)
class UtteranceAudio:
    """One utterance to analyse: samples [n] at 16 kHz, and its text where there is one."""

    samples: NDArray[np.float32]
    text: str | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True)
class _Speech:
    encoder: SpeechEncoder
    layer_weights: NDArray[np.float32]
    head: SpeechEmotionModel


@dataclass(frozen=True, slots=True)
class _Text:
    encoder: TextEncoder
    head: TextEmotionCnn


class Engine:
    """The models of one profile version."""

    def __init__(self, spec: dict[str, Any], speech: _Speech, text: _Text | None) -> None:
        self._spec, self._speech, self._text = spec, speech, text
        self._labels = tuple(spec["labels"])

    @classmethod
    def load(cls, spec: dict[str, Any], device: str = "cpu") -> "Engine":
        """Load what a specification names, by hash; raises `ModelError` (`BundleMissing`, `BundleCorrupt`)."""
        text = _load_text(spec["text"], device) if "text" in spec else None
        return cls(spec, _load_speech(spec["speech"], device), text)

    def extract(self, items: Sequence[UtteranceAudio]) -> Extract:
        """Run both encoders. An utterance without usable text gets no tokens and a note why."""
        frames = self._speech.encoder.encode([item.samples for item in items], self._speech.layer_weights)
        quality: list[str | None] = []
        texts: list[str] = []
        languages = set(self._spec["text"]["languages"]) if self._text is not None else set()
        for item in items:
            notes = ["audio_too_short"] if len(item.samples) < MIN_SAMPLES else []
            usable = self._text is not None and bool(item.text)
            if self._text is not None and not item.text:
                notes.append("no_text")
            elif usable and item.language not in languages:
                notes.append("text_language_not_supported")
                usable = False
            texts.append(item.text or "" if usable else "")
            quality.append(" ".join(notes) or None)
        tokens = (
            self._text.encoder.encode(texts) if self._text is not None else [np.zeros((0, 1), np.float32)] * len(items)
        )
        return Extract(frames, tokens, quality)

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


def _load_speech(side: dict[str, Any], device: str) -> _Speech:
    bundle = load_bundle(side["location"], side["sha256"])
    if bundle.meta.kind != "makiuchi-speech":
        raise ModelError(f"bundle {bundle.meta.name} is a {bundle.meta.kind} model, not a speech model")
    config = bundle.meta.config
    encoder = SpeechEncoder.from_tensors(config["encoder"], bundle.part("encoder"), device=device)
    encoder.do_normalize = bool(config["do_normalize"])
    head = SpeechEmotionModel.from_config(config["head"])
    head.load_state_dict(
        {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in bundle.part("head").items()}
    )
    return _Speech(encoder, bundle.tensors["layer_weights"].float().numpy(), head.eval().to(device))


def _load_text(side: dict[str, Any], device: str) -> _Text:
    bundle = load_bundle(side["location"], side["sha256"])
    if bundle.meta.kind != "makiuchi-text":
        raise ModelError(f"bundle {bundle.meta.name} is a {bundle.meta.kind} model, not a text model")
    named = bundle.meta.config["encoder"]
    encoder = TextEncoder.load(named["source"], sha256=named["sha256"], delta=bundle.part("encoder"), device=device)
    head = TextEmotionCnn.from_config(bundle.meta.config["head"])
    head.load_state_dict({name: tensor.float() for name, tensor in bundle.part("head").items()})
    return _Text(encoder, head.eval().to(device))
