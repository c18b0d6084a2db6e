"""A bundle's speech model as one network that can be trained: transformer, layer weights, head.

The convolutions below the transformer never learn (SpeechBrain measured 2 points more with them frozen; Wagner et al.
2023 freeze them too), so they stay outside: `bank` keeps what they give. What is trained is exported in the form that
inference loads.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import Wav2Vec2Model

from ml.adaptation.errors import ModelUnsupported
from ml.adaptation.heads import Head, Heard, adaptable
from ml.encoders.framing import centre
from ml.encoders.speech import SpeechEncoder, accumulate_layers, normalise
from ml.inference.makiuchi import MAX_PIECE, MakiuchiSpeech

KINDS = ("makiuchi-speech", "voice-speech")


class SpeechNetwork(nn.Module):
    """`encoder` None: the head is over mel frames, and there is nothing below it to train."""

    def __init__(self, encoder: Wav2Vec2Model | None, layer_weights: Tensor | None, head: Head) -> None:
        super().__init__()
        self.encoder, self.head = encoder, head
        #: The head as adaptation uses it.
        self.ears = adaptable(head)
        self.layer_weights = None if layer_weights is None else nn.Parameter(layer_weights)
        if encoder is not None:
            # A layer that is skipped at random would be missing from the average over layers.
            encoder.config.layerdrop = 0.0
            encoder.requires_grad_(False)

    def frames(self, features: Tensor, mask: Tensor) -> Tensor:
        """Layer-averaged frames [B, T, hidden] of convolution features [B, T, conv] with real ones in mask [B, T]."""
        assert self.encoder is not None and self.layer_weights is not None
        hidden, _ = self.encoder.feature_projection(features)
        with accumulate_layers(self.encoder, self.layer_weights) as average:
            self.encoder.encoder(hidden, attention_mask=mask)
        assert average.value is not None
        return average.value * mask[:, :, None]

    def read(self, features: Tensor, mask: Tensor, *, conv: bool) -> tuple[Tensor, Tensor]:
        """What the head reads and which rows of it are real, of kept features, or of the convolutions' (`conv`)."""
        return self.ears.read(self.frames(features, mask), mask) if conv else (features, mask)

    def hear(self, read: Tensor, mask: Tensor, voices: Tensor) -> Heard:
        """The head on what it reads [B, T, width], T a multiple of its segment, and speakers' vectors [B, V]."""
        return self.ears.hear(read, mask, voices)

    def thaw(self, top_layers: int) -> None:
        """Let the head learn, and so many of the transformer's upper layers with the weights of all layers."""
        self.requires_grad_(False)
        for parameter in self.ears.learning():
            parameter.requires_grad_(True)
        if self.encoder is not None and self.layer_weights is not None and top_layers:
            self.layer_weights.requires_grad_(True)
            for layer in self.encoder.encoder.layers[-top_layers:]:
                layer.requires_grad_(True)
            if top_layers >= len(self.encoder.encoder.layers):
                # All of it: what lies between the convolutions and the first layer learns with them.
                self.encoder.feature_projection.requires_grad_(True)
                self.encoder.encoder.pos_conv_embed.requires_grad_(True)
            # Behind the last layer; without stable layer norm it stands before the first one.
            after = self.encoder.config.do_stable_layer_norm or top_layers >= len(self.encoder.encoder.layers)
            self.encoder.encoder.layer_norm.requires_grad_(after)

    def learning(self) -> None:
        """Training mode for what learns; dropout in frozen layers would only blur what they were trained to say."""
        self.eval()
        self.head.train()
        if self.encoder is not None:
            for layer in (*self.encoder.encoder.layers, self.encoder.feature_projection):
                layer.train(any(p.requires_grad for p in layer.parameters()))


@dataclass(frozen=True, slots=True)
class Champion:
    """The model that adaptation begins with, as inference loads it, and its network."""

    side: Mapping[str, Any]
    speech: MakiuchiSpeech
    network: SpeechNetwork

    @classmethod
    def load(cls, side: Mapping[str, Any], device: str = "cpu") -> "Champion":
        """Of a specification's `speech` (`BundleSide(location).resolve("speech")`); raises `ModelError`."""
        if side["kind"] not in KINDS:
            raise ModelUnsupported(f"{side['name']} is a {side['kind']} model, which cannot be adapted")
        speech = MakiuchiSpeech.load(dict(side), device)
        encoder = speech.encoder.model if isinstance(speech.encoder, SpeechEncoder) else None
        weights = None if speech.layer_weights is None else torch.from_numpy(speech.layer_weights.copy()).to(device)
        return cls(side, speech, SpeechNetwork(encoder, weights, speech.head).to(device))

    @property
    def labels(self) -> tuple[str, ...]:
        """Its classes, in the order of its outputs."""
        return tuple(self.side["labels"])

    def frames(self, waves: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        """Layer-averaged (or mel) frames [T, width] of each waveform [n], as in production."""
        return self.speech.frames(waves)

    @torch.inference_mode()
    def convolved(self, waves: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        """What the convolutions give [T, conv] for each waveform [n], one by one: group norm hears the whole."""
        encoder = self.speech.encoder
        assert isinstance(encoder, SpeechEncoder)
        return [self._convolved(encoder, wave) for wave in waves]

    def _convolved(self, encoder: SpeechEncoder, wave: NDArray[np.float32]) -> NDArray[np.float32]:
        device = next(encoder.model.parameters()).device
        rows = [np.zeros((0, encoder.model.config.conv_dim[-1]), dtype=np.float32)]
        for piece in np.array_split(wave, -(-max(len(wave), 1) // MAX_PIECE)):
            if not (frames := encoder.frames(len(piece))):
                continue
            scaled = normalise(piece) if encoder.do_normalize else piece
            values = torch.from_numpy(centre(scaled) if encoder.centred else scaled)[None].to(device)
            rows.append(encoder.model.feature_extractor(values)[0, :, :frames].T.cpu().numpy())
        return np.concatenate(rows)
