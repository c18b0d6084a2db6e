"""Bundled models at work: an encoder, and a head from a bundle (source A's, or the classifier of voices)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from ml.bundles import Bundle, load_bundle
from ml.encoders.speech import MAX_PASS_S, SAMPLE_RATE, SpeechEncoder
from ml.encoders.text import TextEncoder
from ml.errors import ModelError
from ml.features.mel import mel_spectrogram
from ml.models.makiuchi.speech import SpeechEmotionModel
from ml.models.makiuchi.text import TextEmotionCnn
from ml.models.voice import VoiceEmotionModel

#: Longer utterances are encoded in pieces of at most this many samples, so memory does not grow with them.
MAX_PIECE = round(MAX_PASS_S * SAMPLE_RATE)


class FrameEncoder(Protocol):
    """Waveforms to frames of 20 ms."""

    def encode(
        self, waveforms: Sequence[NDArray[np.float32]], layer_weights: NDArray[np.float32] | None = None
    ) -> list[NDArray[np.float32]]:
        """Frames [frames, width] of each waveform [samples]."""


class MelEncoder:
    """The mel spectrogram in place of an encoder (source A, section 6.1)."""

    def encode(
        self, waveforms: Sequence[NDArray[np.float32]], layer_weights: NDArray[np.float32] | None = None
    ) -> list[NDArray[np.float32]]:
        """Mel frames [frames, 80] of each waveform [samples]; there are no layers to weight."""
        return [mel_spectrogram(waveform) for waveform in waveforms]


@dataclass(frozen=True, slots=True)
class MakiuchiSpeech:
    """Waveforms to frames to emotions."""

    encoder: FrameEncoder
    #: [layers + 1], index 0 before the first block; None: the encoder has no layers to average.
    layer_weights: NDArray[np.float32] | None
    head: SpeechEmotionModel | VoiceEmotionModel
    temperature: float

    @classmethod
    def load(cls, side: dict[str, Any], device: str) -> "MakiuchiSpeech":
        """Build from a side of a specification; raises `ModelError`."""
        bundle = load_bundle(side["location"], side["sha256"])
        kind = VoiceEmotionModel if side["kind"] == "voice-speech" else SpeechEmotionModel
        head = kind.from_config(side["config"]["head"])
        _fill(head, bundle)
        encoder, weights = _frame_encoder(side, bundle, device)
        return cls(encoder, weights, head.eval().to(device), side["temperature"])

    def frames(self, waveforms: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        """Layer-averaged frames [frames, hidden] of each waveform."""
        pieces = [np.array_split(wave, -(-max(len(wave), 1) // MAX_PIECE)) for wave in waveforms]
        encoded = iter(self.encoder.encode([piece for own in pieces for piece in own], self.layer_weights))
        return [np.concatenate([next(encoded) for _ in own]) for own in pieces]

    def scores(
        self, frames: Sequence[NDArray[np.float32]], speaker_vectors: NDArray[np.float32]
    ) -> NDArray[np.float64]:
        """Probabilities [N, labels] of frames and speaker vectors [N, VECTOR], of which a head reads its beginning."""
        own = speaker_vectors[:, : self.head.config.speaker_size]
        return self.head.predict(frames, own, temperature=self.temperature)


@dataclass(frozen=True, slots=True)
class MakiuchiText:
    """Texts to token vectors to emotions."""

    encoder: TextEncoder
    head: TextEmotionCnn
    temperature: float

    @classmethod
    def load(cls, side: dict[str, Any], device: str) -> "MakiuchiText":
        """Build from a side of a specification; raises `ModelError`."""
        bundle, config = load_bundle(side["location"], side["sha256"]), side["config"]
        encoder = TextEncoder.load(
            config["encoder"]["source"],
            sha256=config["encoder"]["sha256"],
            delta=bundle.part("encoder"),
            device=device,
        )
        head = TextEmotionCnn.from_config(config["head"])
        _fill(head, bundle)
        return cls(encoder, head.eval().to(device), side["temperature"])

    def spoken(self, text: str | None) -> str:
        """The words that the head's variant reads."""
        return self.head.spoken(text)

    def tokens(self, texts: Sequence[str]) -> list[NDArray[np.float32]]:
        """Token vectors [tokens, hidden] of each text."""
        return self.encoder.encode(texts, padded_to=self.head.padded_to)

    def scores(self, tokens: Sequence[NDArray[np.float32]]) -> NDArray[np.float64]:
        """Probabilities [N, labels] of token vectors."""
        return self.head.predict(tokens, temperature=self.temperature)


def _frame_encoder(
    side: dict[str, Any], bundle: Bundle, device: str
) -> tuple[FrameEncoder, NDArray[np.float32] | None]:
    """The encoder that a bundle was trained over: in it, named by it, or the mel spectrogram."""
    config = side["config"]
    named = config["encoder"]
    if named.get("source") == "mel":
        return MelEncoder(), None
    if "source" in named:
        encoder = SpeechEncoder.load(named["source"], sha256=named["sha256"], device=device)
    else:
        encoder = SpeechEncoder.from_tensors(named, bundle.part("encoder"), device=device)
    encoder.do_normalize = bool(config["do_normalize"])
    encoder.centred = bool(config.get("centred", False))
    if "layer_weights" not in bundle.tensors:
        raise ModelError(f"bundle {side['name']} lacks the weights of the encoder's layers")
    return encoder, bundle.tensors["layer_weights"].float().numpy()


def _fill(head: nn.Module, bundle: Bundle) -> None:
    def full(tensor: Tensor) -> Tensor:
        return tensor.float() if tensor.is_floating_point() else tensor

    try:
        head.load_state_dict({name: full(tensor) for name, tensor in bundle.part("head").items()})
    except RuntimeError as exc:
        raise ModelError(f"the weights of bundle {bundle.meta.name} do not fit its configuration") from exc
