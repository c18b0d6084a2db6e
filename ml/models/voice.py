"""Emotion from how an utterance sounds as a whole, against how its speaker sounds usually.

The encoder's frames are read out as tracks of spectrum, pitch, voicing and loudness; their statistics over the
utterance, and how these differ from what is usual for the speaker, go through one hidden layer. With few speakers to
learn from this generalises to new ones better than networks over frames do (measured: the model card).
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ml.errors import ModelError
from ml.features.speaker import STATISTICS, USUAL
from ml.features.voice import TRACKS, statistics

#: Standardised statistics beyond it are cut: one odd frame must not outweigh an utterance.
LIMIT = 5.0


@dataclass(frozen=True, slots=True)
class VoiceEmotionConfig:
    """Sizes."""

    #: Width of the encoder's frames.
    input_size: int = 128
    #: Numbers of a speaker's vector before the speaker's usual statistics.
    embedding_size: int = 256
    hidden: int = 1024
    classes: int = 7

    def __post_init__(self) -> None:
        if min(self.input_size, self.hidden, self.classes) < 1 or self.embedding_size < 0:
            raise ModelError("every size of the voice model has to be at least 1")

    @property
    def speaker_size(self) -> int:
        """Length of a speaker's vector."""
        return self.embedding_size + USUAL


class VoiceEmotionModel(nn.Module):
    """Frames and speakers' vectors to emotions."""

    mean: Tensor
    deviation: Tensor
    usual_mean: Tensor
    usual_deviation: Tensor
    usual_map: Tensor
    spread: Tensor

    def __init__(self, config: VoiceEmotionConfig) -> None:
        super().__init__()
        self.config = config
        self.readout = nn.Linear(config.input_size, TRACKS)
        # Of statistics that the encoder hears; of those that signal processing finds, which speakers' vectors hold.
        for name in ("mean", "usual_mean"):
            self.register_buffer(name, torch.zeros(STATISTICS))
        # The last: how far utterances lie from what is usual for their speaker, in deviations.
        for name in ("deviation", "usual_deviation", "spread"):
            self.register_buffer(name, torch.ones(STATISTICS))
        # From the one kind to the other, both standardised.
        self.register_buffer("usual_map", torch.eye(STATISTICS))
        self.classifier = nn.Sequential(
            nn.Linear(2 * STATISTICS, config.hidden), nn.ReLU(), nn.Linear(config.hidden, config.classes)
        )

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "VoiceEmotionModel":
        """Build from a bundle's configuration."""
        return cls(VoiceEmotionConfig(**config))

    def to_config(self) -> dict[str, Any]:
        """The JSON-able configuration that `from_config` takes."""
        return asdict(self.config)

    def standardised(self, values: Tensor) -> Tensor:
        """Statistics [N, STATISTICS] of heard tracks in deviations, without extremes."""
        return ((values - self.mean) / self.deviation).clamp(-LIMIT, LIMIT)

    def expected(self, usual: Tensor) -> Tensor:
        """What is usual for speakers, in deviations, by their `usual` [N, USUAL]: nearer zero the less is known."""
        evidence, known = usual[:, :1], usual[:, 1:]
        expected: Tensor = (known - evidence * self.usual_mean) / self.usual_deviation @ self.usual_map
        return expected

    def inputs(self, values: Tensor, expected: Tensor) -> Tensor:
        """What the classifier sees [N, 2 · STATISTICS] of `standardised` and `expected` statistics."""
        return torch.cat([(values - expected) / self.spread, values], dim=1)

    def heard(self, frames: Tensor) -> Tensor:
        """Statistics [STATISTICS] of an utterance's frames [T ≥ 1, input]."""
        return statistics(self.readout(frames))

    @torch.inference_mode()
    def logits(
        self, frames: Sequence[NDArray[np.float32]], speaker_vectors: NDArray[np.float32]
    ) -> NDArray[np.float64]:
        """[N, classes] of N utterances [frames, input] and vectors [N, embedding_size + USUAL]; NaN without frames."""
        parameter = self.readout.weight
        result = np.full((len(frames), self.config.classes), np.nan)
        rows = [row for row, own in enumerate(frames) if len(own)]
        if not rows:
            return result
        values = torch.stack([self.heard(torch.from_numpy(frames[row]).to(parameter)) for row in rows])
        usual = torch.from_numpy(speaker_vectors[rows, self.config.embedding_size :]).to(parameter)
        inputs = self.inputs(self.standardised(values), self.expected(usual))
        result[rows] = self.classifier(inputs).double().cpu().numpy()
        return result

    def predict(
        self,
        frames: Sequence[NDArray[np.float32]],
        speaker_vectors: NDArray[np.float32],
        *,
        temperature: float = 1.0,
    ) -> NDArray[np.float64]:
        """Probabilities [N, classes]; NaN rows where there are no frames."""
        scaled = torch.from_numpy(self.logits(frames, speaker_vectors) / temperature)
        result: NDArray[np.float64] = torch.softmax(scaled, dim=1).numpy()
        return result
