"""Source A's whole speech model as it is trained: emotions and the mel spectrogram from the same narrow codes.

Makiuchi, Uto, Shinoda (ASRU 2021), section 3.1. The decoder is told speaker and phones, so what remains for the codes
to carry is how something is said. Inference takes `emotion` and the layer weights only.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ml.errors import ModelError
from ml.models.makiuchi.config import CrossRepresentationConfig
from ml.models.makiuchi.decoder import Decoder, PostNet
from ml.models.makiuchi.phones import PhoneEncoder
from ml.models.makiuchi.speech import SpeechEmotionModel


@dataclass(frozen=True, slots=True)
class Output:
    """What one forward pass gives; mel spectrograms are None where the model has no such part."""

    #: [B, classes], before the softmax.
    logits: Tensor
    #: [B, T, bands], of the decoder.
    mel_before: Tensor | None
    #: [B, T, bands], after the post-net.
    mel_after: Tensor | None
    #: [B, T / factor, 2 · bottleneck].
    codes: Tensor


class CrossRepresentation(nn.Module):
    """Layer weights, encoder and classifier (`emotion`), phone encoder, decoder and post-net."""

    def __init__(self, config: CrossRepresentationConfig) -> None:
        super().__init__()
        self.config = config
        self.emotion = SpeechEmotionModel(config.emotion)
        self.layer_weights = nn.Parameter(torch.ones(config.layers)) if config.layers else None
        self.phones = self.decoder = self.postnet = None
        if not config.losses.reconstructs:
            return
        width = config.emotion.code_size + config.emotion.speaker_size
        if config.phone_classes:
            self.phones = PhoneEncoder(config.phone_classes, config.phone_channels, config.phone_size)
            width += 2 * config.phone_size
        self.decoder = Decoder(width, config.decoder_channels, config.decoder_size, config.mel_bands)
        if config.losses.postnet:
            self.postnet = PostNet(config.postnet_channels, config.mel_bands)

    def average(self, states: Tensor) -> Tensor:
        """Frames [B, T, input] of all hidden states [B, layers, T, input]: Σ wᵢ·hᵢ / Σ wᵢ, without a softmax.

        Equals what `ml.encoders.speech.accumulate_layers` gives without keeping the states.
        """
        if self.layer_weights is None or states.shape[1] != len(self.layer_weights):
            raise ModelError(f"the model averages {self.config.layers} hidden states, not {states.shape[1]}")
        return torch.einsum("blti,l->bti", states, self.layer_weights / self.layer_weights.sum())

    def forward(
        self, frames: Tensor, speakers: Tensor, mel: Tensor | None = None, phones: Tensor | None = None
    ) -> Output:
        """Emotions and, where it has the parts and `phones` if it needs them, the rebuilt mel spectrogram.

        `frames` is [B, T, input], or [B, layers, T, input] to be averaged here; `speakers` [B, 256]; `phones` [B, T]
        int64. T is a multiple of the factor. The decoder is not fed `mel` [B, T, 80]: it is taken here as the sign that
        a reconstruction is wanted (None: emotions only, as in inference) and to check its shape.
        """
        if frames.ndim == 4:
            frames = self.average(frames)
        codes = self.emotion.codes(frames, speakers)
        logits = self.emotion.classify(codes)
        if mel is None or self.decoder is None:
            return Output(logits, None, None, codes)
        if mel.shape != (*frames.shape[:2], self.config.mel_bands):
            raise ModelError(f"a mel spectrogram of shape {tuple(mel.shape)} does not fit {frames.shape[1]} frames")
        before = self._rebuilt(codes, speakers, phones)
        return Output(logits, before, None if self.postnet is None else self.postnet(before), codes)

    def _rebuilt(self, codes: Tensor, speakers: Tensor, phones: Tensor | None) -> Tensor:
        assert self.decoder is not None
        repeated = codes.repeat_interleave(self.config.emotion.factor, dim=1)
        parts = [repeated, speakers[:, None, :].expand(-1, repeated.shape[1], -1)]
        if self.phones is not None:
            if phones is None:
                raise ModelError("this model's decoder needs the phones of every frame")
            parts.append(self.phones(phones))
        mel: Tensor = self.decoder(torch.cat(parts, dim=2))
        return mel

    def losses(
        self,
        output: Output,
        labels: Tensor,
        mel: Tensor | None = None,
        *,
        class_weights: Tensor | None = None,
        counts: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """The losses that count, unweighted ("emotion", "decoder", "postnet"), and their weighted sum ("total").

        `labels` are ids [B] or distributions [B, classes]; `class_weights` [classes]. Squared errors are means over all
        elements, padding included, as released; with `counts` [B], the real frames of each segment, over those only.
        """
        weights = self.config.losses
        found: dict[str, Tensor] = {}
        if weights.emotion:
            found["emotion"] = nn.functional.cross_entropy(output.logits.float(), labels, weight=class_weights)
        for name, rebuilt in (("decoder", output.mel_before), ("postnet", output.mel_after)):
            if rebuilt is not None and mel is not None and getattr(weights, name):
                found[name] = _squared_error(rebuilt.float(), mel, counts)
        found["total"] = torch.stack([getattr(weights, name) * loss for name, loss in found.items()]).sum()
        return found

    def inference_tensors(self) -> dict[str, Tensor]:
        """What a bundle of kind "makiuchi-speech" holds beside its encoder: `head.…` and `layer_weights`."""
        tensors = {f"head.{name}": tensor for name, tensor in self.emotion.state_dict().items()}
        if self.layer_weights is not None:
            tensors["layer_weights"] = self.layer_weights.detach()
        return tensors


def _squared_error(rebuilt: Tensor, mel: Tensor, counts: Tensor | None) -> Tensor:
    errors = (rebuilt - mel).square()
    if counts is None:
        return errors.mean()
    real = torch.arange(mel.shape[1], device=mel.device)[None] < counts[:, None]
    return errors.mean(dim=2)[real].mean()
