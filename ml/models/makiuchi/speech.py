"""Source A's speech emotion model: a bottleneck encoder over speech frames and an affine classifier.

Makiuchi, Uto, Shinoda (ASRU 2021), section 3.1 and the authors' released configuration: per segment of 96 frames
(1.92 s), three convolutions over frames joined with the speaker's vector, a two-layer BLSTM read out every `factor`
frames, and three linear layers. An utterance's probabilities are the mean over its segments.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ml.errors import ModelError


@dataclass(frozen=True, slots=True)
class SpeechEmotionConfig:
    """Sizes; the defaults are the paper's Small variant over wav2vec2-large."""

    input_size: int = 1024
    speaker_size: int = 256
    channels: int = 2048
    bottleneck: int = 8
    factor: int = 48
    segment_frames: int = 96
    hidden: int = 128
    classes: int = 7
    #: "frames" weights a segment by its real frames; "equal" is the paper's plain mean, in which a tail of a few
    #: frames and much padding counts as much as 1.92 s of speech.
    segment_weight: Literal["frames", "equal"] = "frames"

    def __post_init__(self) -> None:
        if self.segment_frames % self.factor:
            raise ModelError(f"segment_frames {self.segment_frames} is not a multiple of factor {self.factor}")


class SpeechEmotionModel(nn.Module):
    """Frames and a speaker vector to class logits per segment."""

    def __init__(self, config: SpeechEmotionConfig) -> None:
        super().__init__()
        self.config = config
        layers: list[nn.Module] = []
        width = config.input_size + config.speaker_size
        for _ in range(3):
            conv = nn.Conv1d(width, config.channels, kernel_size=5, padding=2)
            nn.init.xavier_uniform_(conv.weight, gain=nn.init.calculate_gain("relu"))
            layers += [conv, nn.BatchNorm1d(config.channels), nn.ReLU()]
            width = config.channels
        self.convolutions = nn.Sequential(*layers)
        self.recurrent = nn.LSTM(width, config.bottleneck, num_layers=2, batch_first=True, bidirectional=True)
        codes = config.segment_frames // config.factor
        # No activation in between: so is the released configuration, and so the classifier is affine.
        self.classifier = nn.Sequential(
            nn.Linear(codes * 2 * config.bottleneck, config.hidden),
            nn.Linear(config.hidden, config.hidden),
            nn.Dropout(0.5),
            nn.Linear(config.hidden, config.classes),
        )

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "SpeechEmotionModel":
        """Build from a bundle's configuration."""
        return cls(SpeechEmotionConfig(**config))

    def to_config(self) -> dict[str, Any]:
        """The JSON-able configuration that `from_config` takes."""
        return asdict(self.config)

    def codes(self, segments: Tensor, speakers: Tensor) -> Tensor:
        """Bottleneck codes [B, codes · 2d] of segments [B, segment_frames, input] and speaker vectors [B, speaker]."""
        joined = torch.cat([segments, speakers[:, None, :].expand(-1, segments.shape[1], -1)], dim=2)
        hidden, _ = self.recurrent(self.convolutions(joined.transpose(1, 2)).transpose(1, 2))
        width, factor = self.config.bottleneck, self.config.factor
        forward = hidden[:, factor - 1 :: factor, :width]
        backward = hidden[:, ::factor, width:]
        return torch.cat([forward, backward], dim=2).flatten(1)

    def forward(self, segments: Tensor, speakers: Tensor) -> Tensor:
        """Logits [B, classes] per segment."""
        logits: Tensor = self.classifier(self.codes(segments, speakers))
        return logits

    @torch.inference_mode()
    def predict(
        self,
        frames: Sequence[NDArray[np.float32]],
        speaker_vectors: NDArray[np.float32],
        *,
        temperature: float = 1.0,
    ) -> NDArray[np.float64]:
        """Probabilities [N, classes] of N utterances of [frames, input] and [N, speaker]; NaN rows where no frames.

        Batch norm uses its stored statistics and the LSTM starts from zero in every segment, so segments are
        independent and all of them share batches.
        """
        parameter = next(self.parameters())
        length = self.config.segment_frames
        pieces: list[tuple[int, NDArray[np.float32]]] = []
        for index, utterance in enumerate(frames):
            for start in range(0, len(utterance), length):
                pieces.append((index, utterance[start : start + length]))
        sums = np.zeros((len(frames), self.config.classes))
        weights = np.zeros(len(frames))
        for begin in range(0, len(pieces), 64):
            chunk = pieces[begin : begin + 64]
            batch = np.zeros((len(chunk), length, self.config.input_size), dtype=np.float32)
            for row, (_, piece) in enumerate(chunk):
                batch[row, : len(piece)] = piece
            owners = [index for index, _ in chunk]
            logits = self(
                torch.from_numpy(batch).to(parameter), torch.from_numpy(speaker_vectors[owners]).to(parameter)
            )
            probabilities = torch.softmax(logits.double() / temperature, dim=1).cpu().numpy()
            for (index, piece), row_probabilities in zip(chunk, probabilities, strict=True):
                weight = len(piece) if self.config.segment_weight == "frames" else 1
                sums[index] += weight * row_probabilities
                weights[index] += weight
        with np.errstate(invalid="ignore", divide="ignore"):
            result: NDArray[np.float64] = sums / weights[:, None]
        return result
