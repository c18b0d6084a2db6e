"""What adaptation has to know of a head, whichever kind a bundle has; the two kinds are modules of their own."""

from collections.abc import Iterable
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from ml.models.makiuchi.speech import SpeechEmotionModel
from ml.models.voice import VoiceEmotionModel

Head = SpeechEmotionModel | VoiceEmotionModel
#: Frames that attend to each other: a minute, as in production.
LONGEST = 3000


class Heard(NamedTuple):
    """What a network makes of a batch of B utterances in S segments each."""

    #: Logits of each segment [B, S, classes].
    logits: Tensor
    #: Share of an utterance's frames that lies in each segment [B, S]; rows sum to 1.
    shares: Tensor
    #: The head's input [B, T, width], and which frames are real [B, T].
    frames: Tensor
    mask: Tensor
    #: The utterance before the classifier's last layers [B, embedding].
    embedding: Tensor

    @property
    def log_probabilities(self) -> Tensor:
        """[B, classes]: the mean over segments of probabilities, as inference has it."""
        each = torch.softmax(self.logits.float(), dim=2)
        return (each * self.shares[:, :, None]).sum(dim=1).clamp(min=1e-8).log()


class AdaptableHead(Protocol):
    """A head at work in training. What it reads is computed once per utterance where nothing below it learns."""

    @property
    def segment(self) -> int:
        """Rows of what it reads that are classified at once."""

    @property
    def reads(self) -> int:
        """Width of what it reads."""

    @property
    def alike(self) -> bool:
        """Whether all numbers of a row that it reads are of one kind and size."""

    @property
    def embedding_size(self) -> int:
        """Width of `Heard.embedding`."""

    @property
    def hidden_size(self) -> int:
        """Width of `hidden`."""

    @property
    def rate(self) -> float:
        """The peak rate that it learns well at."""

    @property
    def below(self) -> dict[str, Tensor]:
        """What of the head itself lies below what it reads, and never learns."""

    def most(self, segments: int) -> int:
        """Segments of an utterance in a training batch, at most, where a plan asks for so many."""

    def learning(self) -> Iterable[nn.Parameter]:
        """What of the head learns."""

    def read(self, frames: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """What it reads [B, T', reads] and which rows are real, of an encoder's frames [B, T, input] with mask."""

    def hear(self, read: Tensor, mask: Tensor, voices: Tensor) -> Heard:
        """Of what it reads [B, T, reads], T a multiple of `segment`, and speakers' vectors [B, V]."""

    def hidden(self, read: Tensor, voices: Tensor) -> Tensor:
        """Its lowest features [B, T, hidden_size] of what it reads [B, T, reads]."""

    def fresh(self, classes: int, *, speaker_size: int | None = None, input_size: int | None = None) -> Head:
        """One that has learned nothing; None: sizes as they are. Raises `PlanInvalid` for a size it cannot have."""


def adaptable(head: Head) -> AdaptableHead:
    """The one place that tells kinds apart."""
    from ml.adaptation.segment_head import SegmentHead
    from ml.adaptation.voice_head import VoiceHead

    return VoiceHead(head) if isinstance(head, VoiceEmotionModel) else SegmentHead(head)
