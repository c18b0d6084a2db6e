"""Source A's head in training: frames in segments of 1.92 s, each classified alone."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from ml.adaptation.errors import PlanInvalid
from ml.adaptation.heads import Heard
from ml.models.makiuchi.speech import SpeechEmotionModel

#: Published heads, 2048 channels wide, learn at 1e-4; narrower ones faster (`ml.adaptation.rates`).
_RATE, _WIDTH, _HIGHEST = 1e-4, 2048, 2e-3


@dataclass(frozen=True, slots=True)
class SegmentHead:
    """`ml.adaptation.heads.AdaptableHead` for bundles of kind makiuchi-speech."""

    head: SpeechEmotionModel

    @property
    def segment(self) -> int:
        """Frames of a segment."""
        return self.head.config.segment_frames

    @property
    def reads(self) -> int:
        """Width of frames."""
        return self.head.config.input_size

    @property
    def alike(self) -> bool:
        """Features of one network."""
        return True

    @property
    def embedding_size(self) -> int:
        """All codes of a segment."""
        return self.head.config.codes * self.head.config.code_size

    @property
    def hidden_size(self) -> int:
        """Channels of the convolutions."""
        return self.head.config.channels

    @property
    def rate(self) -> float:
        """By its width."""
        return min(_HIGHEST, _RATE * _WIDTH / self.head.config.channels)

    @property
    def below(self) -> dict[str, Tensor]:
        """Nothing: it reads the encoder's frames."""
        return {}

    def most(self, segments: int) -> int:
        """As many as the plan says; longer utterances are cropped."""
        return segments

    def learning(self) -> Iterable[nn.Parameter]:
        """All of it."""
        return self.head.parameters()

    def read(self, frames: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Frames as they are."""
        return frames, mask

    def hear(self, read: Tensor, mask: Tensor, voices: Tensor) -> Heard:
        """Segments apart; the embedding is the mean of their codes."""
        count = read.shape[0]
        segments = read.reshape(-1, self.segment, read.shape[2])
        each = segments.shape[0] // count
        codes = self.head.codes(segments, voices.repeat_interleave(each, dim=0))
        real = mask.reshape(count, each, self.segment).sum(dim=2).float()
        shares = real / real.sum(dim=1, keepdim=True).clamp(min=1)
        logits = self.head.classify(codes).reshape(count, each, -1)
        embedding = (codes.flatten(1).reshape(count, each, -1) * shares[:, :, None]).sum(dim=1)
        return Heard(logits, shares, read, mask, embedding)

    def hidden(self, read: Tensor, voices: Tensor) -> Tensor:
        """What the convolutions make of frames and speaker."""
        known = voices[:, None, :].expand(-1, read.shape[1], -1)
        result: Tensor = self.head.convolutions(torch.cat([read, known], dim=2).transpose(1, 2)).transpose(1, 2)
        return result

    def fresh(
        self, classes: int, *, speaker_size: int | None = None, input_size: int | None = None
    ) -> SpeechEmotionModel:
        """`speaker_size` 0 leaves the speaker's vector out."""
        config = self.head.config
        if speaker_size not in (None, 0, config.speaker_size):
            raise PlanInvalid(f"speaker_size has to be 0 or {config.speaker_size}")
        known = config.speaker_size if speaker_size is None else speaker_size
        width = config.input_size if input_size is None else input_size
        return SpeechEmotionModel(replace(config, classes=classes, speaker_size=known, input_size=width))
