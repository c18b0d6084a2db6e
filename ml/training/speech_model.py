"""The small speech model as it is trained, what it is judged by, and how clips and voices are drawn."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import Wav2Vec2Config, Wav2Vec2Model

from ml.bundles import load_bundle
from ml.emotions import EMOTIONS
from ml.encoders.speech import SpeechEncoder, accumulate_layers
from ml.models.makiuchi.config import SpeechEmotionConfig
from ml.models.makiuchi.speech import SpeechEmotionModel
from ml.training.metrics import balanced_accuracy
from ml.training.speech_data import Clip

ENCODER: dict[str, Any] = {
    "hidden_size": 160,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "intermediate_size": 480,
    "conv_dim": [32, 64, 96, 128, 160, 192, 192],
    "feat_extract_norm": "layer",
    "do_stable_layer_norm": True,
    "conv_bias": True,
    "num_conv_pos_embeddings": 32,
    "num_conv_pos_embedding_groups": 8,
    "mask_time_prob": 0.0,
    "layerdrop": 0.0,
}
SEGMENT = 96
#: How often each corpus is drawn in training.
CORPUS_SHARE = {"ravdess": 0.6, "nemo": 0.4}
FOUR = ("angry", "happy", "neutral", "sad")


def samples_of(frames: int) -> int:
    """Samples that give exactly so many frames."""
    return 400 + (frames - 1) * 320


class SpeechModel(nn.Module):
    """Encoder, layer weights and head, trained together."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = Wav2Vec2Model(Wav2Vec2Config(**ENCODER))
        self.layer_weights = nn.Parameter(torch.ones(ENCODER["num_hidden_layers"] + 1))
        self.head = SpeechEmotionModel(
            SpeechEmotionConfig(input_size=ENCODER["hidden_size"], channels=256, bottleneck=16)
        )
        self.readout = nn.Linear(ENCODER["conv_dim"][-1], 80)

    def forward(self, waves: Tensor, lengths: Tensor, speakers: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Segment logits [B, S, classes], their real frames [B, S] and predicted log-mel of waves [B, n]."""
        features = self.encoder.feature_extractor(waves).transpose(1, 2)
        counts = ((lengths - 400).clamp(min=0) // 320 + 1).clamp(max=features.shape[1])
        logits, real = self.from_features(features, counts, speakers)
        return logits, real, self.readout(features)

    def from_features(self, features: Tensor, counts: Tensor, speakers: Tensor) -> tuple[Tensor, Tensor]:
        """Segment logits [B, S, classes] and real frames [B, S] of features [B, T, conv], T a multiple of 96."""
        frames = features.shape[1]
        mask = torch.arange(frames)[None] < counts[:, None]
        hidden, _ = self.encoder.feature_projection(features)
        with accumulate_layers(self.encoder, self.layer_weights) as average:
            self.encoder.encoder(hidden, attention_mask=mask)
        assert average.value is not None
        averaged = average.value * mask[:, :, None]
        segments = frames // SEGMENT
        pieces = averaged.reshape(len(features) * segments, SEGMENT, -1)
        logits = self.head(pieces, speakers.repeat_interleave(segments, dim=0))
        real = mask.reshape(len(features), segments, SEGMENT).sum(dim=2)
        return logits.reshape(len(features), segments, -1), real


@dataclass
class Voices:
    """Speaker vectors: means over random subsets in training, over a speaker's first hundred clips in evaluation."""

    by_item: dict[str, NDArray[np.float32]]
    by_speaker: dict[str, NDArray[np.float32]]

    @classmethod
    def read(cls, path: Path, clips: Sequence[Clip]) -> "Voices":
        with np.load(path) as stored:
            by_item = {name: stored[name] for name in stored.files}
        speakers = sorted({clip.speaker for clip in clips})
        grouped = {
            s: np.stack([by_item[c.item_id] for c in clips if c.speaker == s and c.item_id in by_item])
            for s in speakers
        }
        return cls(by_item, grouped)

    def mean(self, speaker: str) -> NDArray[np.float32]:
        return np.asarray(self.by_speaker[speaker][:100].mean(axis=0), dtype=np.float32)

    def drawn(self, speaker: str, rng: np.random.Generator) -> NDArray[np.float32]:
        """A noisy mean of a random subset; half of the time nothing, so that the model does not lean on identity."""
        vectors = self.by_speaker[speaker]
        if rng.random() < 0.5:
            return np.zeros(vectors.shape[1], dtype=np.float32)
        count = int(np.exp(rng.uniform(0, np.log(min(100, len(vectors))))))
        mean = vectors[rng.choice(len(vectors), size=count, replace=False)].mean(axis=0)
        return np.asarray(mean + rng.normal(0, 0.02, mean.shape), dtype=np.float32)


def predict_logits(
    model: SpeechModel, clips: Sequence[Clip], voices: Voices, *, with_voice: bool = True
) -> NDArray[np.float64]:
    """Log-probabilities [N, classes] by the path that production takes."""
    encoder = SpeechEncoder(model.encoder)
    weights = model.layer_weights.detach().numpy()
    frames = encoder.encode([clip.samples for clip in clips], weights)
    vectors = np.stack([voices.mean(clip.speaker) for clip in clips]) * float(with_voice)
    return np.log(model.head.eval().predict(frames, vectors.astype(np.float32)) + 1e-9)


def judge(logits: NDArray[np.float64], clips: Sequence[Clip]) -> dict[str, float]:
    """Balanced accuracy per corpus, over all its classes and over four."""
    result: dict[str, float] = {}
    four = [EMOTIONS.index(name) for name in FOUR]
    for corpus in sorted({clip.corpus for clip in clips}):
        rows = np.array([clip.corpus == corpus for clip in clips])
        labels = np.array([clip.label for clip in clips])[rows]
        result[corpus] = balanced_accuracy(labels, logits[rows].argmax(axis=1))
        kept = np.isin(labels, four)
        chosen = np.array(four)[logits[rows][kept][:, four].argmax(axis=1)]
        result[f"{corpus}_4"] = balanced_accuracy(labels[kept], chosen)
    return result


def update_average(average: SpeechModel, model: SpeechModel, decay: float) -> None:
    """Move the averaged weights towards the trained ones; buffers (batch norm statistics) are copied."""
    with torch.no_grad():
        for ours, theirs in zip(average.parameters(), model.parameters(), strict=True):
            ours.lerp_(theirs, 1 - decay)
        for kept, seen in zip(average.buffers(), model.buffers(), strict=True):
            kept.copy_(seen)


def sampling_odds(clips: Sequence[Clip]) -> NDArray[np.float64]:
    """Probability of each clip, so that corpora and classes are drawn evenly whatever their sizes."""
    counts = {key: sum((c.corpus, c.label) == key for c in clips) for key in {(c.corpus, c.label) for c in clips}}
    odds = np.array([CORPUS_SHARE[c.corpus] / counts[c.corpus, c.label] for c in clips])
    return np.asarray(odds / odds.sum())


def dev_score(scores: dict[str, float]) -> float:
    """What a model is chosen by: both corpora, all classes and four."""
    return float(np.mean(list(scores.values())))


def restore(model: SpeechModel, location: str) -> None:
    """Load an earlier bundle's weights."""
    bundle = load_bundle(location)
    model.encoder.load_state_dict({n: t.float() for n, t in bundle.part("encoder").items()})
    model.head.load_state_dict({n: t.float() if t.is_floating_point() else t for n, t in bundle.part("head").items()})
    with torch.no_grad():
        model.layer_weights.copy_(bundle.tensors["layer_weights"].float())
