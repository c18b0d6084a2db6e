"""Source A's speech emotion model: a bottleneck encoder over speech frames and an affine classifier.

Makiuchi, Uto, Shinoda (ASRU 2021), section 3.1 and the authors' released configuration: per segment of 96 frames
(1.92 s), three convolutions over frames joined with the speaker's vector, a two-layer BLSTM read out every `factor`
frames, and three linear layers. An utterance's probabilities are the mean over its segments.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ml.models.makiuchi.config import SpeechEmotionConfig
from ml.models.makiuchi.encoder import BottleneckEncoder
from ml.models.makiuchi.segments import crop, pieces

#: Bounds the memory of one pass: 64 segments of the large variant are 50 MB of convolution output.
SEGMENTS_PER_PASS = 64


class SpeechEmotionModel(BottleneckEncoder):
    """The encoder with a classifier on its codes: all that inference needs."""

    def __init__(self, config: SpeechEmotionConfig) -> None:
        super().__init__(config)
        between: list[nn.Module] = [nn.ReLU()] if config.activation == "relu" else []
        self.classifier = nn.Sequential(
            nn.Linear(config.codes * config.code_size, config.hidden),
            *between,
            nn.Linear(config.hidden, config.hidden),
            *between,
            nn.Dropout(0.5),
            nn.Linear(config.hidden, config.classes),
        )

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "SpeechEmotionModel":
        """Build from a bundle's configuration."""
        return cls(SpeechEmotionConfig(**config))

    def to_config(self) -> dict[str, Any]:
        """The JSON-able configuration that `from_config` takes."""
        return self.config.to_json()

    def classify(self, codes: Tensor) -> Tensor:
        """Logits [B, classes] of a segment's codes [B, codes, 2 · bottleneck]."""
        logits: Tensor = self.classifier(codes.flatten(1))
        return logits

    def forward(self, segments: Tensor, speakers: Tensor) -> Tensor:
        """Logits [B, classes] of segments [B, segment_frames, input] and speaker vectors [B, speaker]."""
        return self.classify(self.codes(segments, speakers))

    @torch.inference_mode()
    def predict(
        self,
        frames: Sequence[NDArray[np.float32]],
        speaker_vectors: NDArray[np.float32],
        *,
        temperature: float = 1.0,
    ) -> NDArray[np.float64]:
        """Probabilities [N, classes] of N utterances of [frames, input] and [N, speaker]; NaN rows where no frames."""
        sums = np.zeros((len(frames), self.config.classes))
        weights = np.zeros(len(frames))
        for chunk, codes in self._coded(frames, speaker_vectors):
            probabilities = torch.softmax(self.classify(codes).double() / temperature, dim=1).cpu().numpy()
            for (index, start, end), row in zip(chunk, probabilities, strict=True):
                weight = end - start if self.config.segment_weight == "frames" else 1
                sums[index] += weight * row
                weights[index] += weight
        with np.errstate(invalid="ignore", divide="ignore"):
            result: NDArray[np.float64] = sums / weights[:, None]
        return result

    @torch.inference_mode()
    def utterance_codes(
        self, frames: Sequence[NDArray[np.float32]], speaker_vectors: NDArray[np.float32]
    ) -> list[NDArray[np.float32]]:
        """The codes [segments, codes, 2 · bottleneck] of N utterances, as `predict` classifies them."""
        found: list[list[NDArray[np.float32]]] = [[] for _ in frames]
        for chunk, codes in self._coded(frames, speaker_vectors):
            for (index, _, _), own in zip(chunk, codes.float().cpu().numpy(), strict=True):
                found[index].append(own)
        empty = np.zeros((0, self.config.codes, self.config.code_size), dtype=np.float32)
        return [np.stack(own) if own else empty for own in found]

    def _coded(
        self, frames: Sequence[NDArray[np.float32]], speaker_vectors: NDArray[np.float32]
    ) -> Iterator[tuple[list[tuple[int, int, int]], Tensor]]:
        """(utterance, start, end) and codes of all segments, in batches.

        Batch norm uses its stored statistics and the LSTM starts from zero in every segment, so segments are
        independent and those of all utterances share batches.
        """
        parameter = next(self.parameters())
        length, drop = self.config.segment_frames, self.config.single_frame_tail == "dropped"
        segments = [
            (index, start, end)
            for index, utterance in enumerate(frames)
            for start, end in pieces(len(utterance), length, drop_single_frame=drop)
        ]
        for begin in range(0, len(segments), SEGMENTS_PER_PASS):
            chunk = segments[begin : begin + SEGMENTS_PER_PASS]
            batch = np.stack([crop(frames[index], start, length) for index, start, _ in chunk])
            speakers = speaker_vectors[[index for index, _, _ in chunk]]
            yield chunk, self.codes(torch.from_numpy(batch).to(parameter), torch.from_numpy(speakers).to(parameter))
