"""What the small speech model is worth, by the path that production takes and in the precision that ships."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ml.emotions import EMOTIONS
from ml.encoders.speech import SpeechEncoder
from ml.models.makiuchi.segments import crop, pieces
from ml.models.makiuchi.speech import SEGMENTS_PER_PASS, SpeechEmotionModel
from ml.training.metrics import balanced_accuracy, confusion, expected_calibration_error
from ml.training.scoring import Scores
from ml.training.speaker_baseline import Voices
from ml.training.speech_data import Clip
from ml.training.speech_model import ENCODER, SpeechModel, folded

FOUR = ("angry", "happy", "neutral", "sad")


def shipped_tensors(model: SpeechModel, baseline: NDArray[np.float32]) -> dict[str, Tensor]:
    """The bundle's tensors, in half precision."""
    head = folded(model, torch.from_numpy(baseline))
    tensors = {f"encoder.{name}": t for name, t in model.encoder.state_dict().items()}
    tensors |= {f"head.{name}": t for name, t in head.state_dict().items()}
    tensors["layer_weights"] = model.layer_weights.detach()
    return {name: t.detach().cpu().half() if t.is_floating_point() else t.cpu() for name, t in tensors.items()}


@dataclass(frozen=True, slots=True)
class Shipped:
    """Encoder and classifier as inference loads them."""

    encoder: SpeechEncoder
    layer_weights: NDArray[np.float32]
    head: SpeechEmotionModel

    @classmethod
    def of(cls, tensors: dict[str, Tensor], head_config: dict[str, Any]) -> "Shipped":
        """From a bundle's tensors [shipped_tensors] and the configuration of its classifier."""

        def part(prefix: str) -> dict[str, Tensor]:
            named = {n.removeprefix(f"{prefix}."): t for n, t in tensors.items() if n.startswith(f"{prefix}.")}
            return {name: t.float() if t.is_floating_point() else t for name, t in named.items()}

        head = SpeechEmotionModel.from_config(head_config)
        head.load_state_dict(part("head"))
        encoder = SpeechEncoder.from_tensors(ENCODER, part("encoder"))
        return cls(encoder, tensors["layer_weights"].float().numpy(), head.eval())

    @torch.inference_mode()
    def scores(self, clips: Sequence[Clip], voices: Voices) -> Scores:
        """Logits of all segments of clips as they were recorded, with the vectors of their speakers."""
        frames = self.encoder.encode([clip.recorded for clip in clips], self.layer_weights)
        vectors = np.stack([voices.mean(clip.speaker) for clip in clips])
        length = self.head.config.segment_frames
        spans = [(i, start, end) for i, own in enumerate(frames) for start, end in pieces(len(own), length)]
        logits = []
        for begin in range(0, len(spans), SEGMENTS_PER_PASS):
            chunk = spans[begin : begin + SEGMENTS_PER_PASS]
            batch = torch.from_numpy(np.stack([crop(frames[i], start, length) for i, start, _ in chunk]))
            logits.append(self.head(batch, torch.from_numpy(vectors[[i for i, _, _ in chunk]])).double().numpy())
        owners = np.array([i for i, _, _ in spans])
        return Scores(np.concatenate(logits), owners, np.array([e - s for _, s, e in spans], dtype=float), len(clips))


def of_four(probabilities: NDArray[np.float64], labels: NDArray[np.int64]) -> tuple[Any, Any]:
    """True and predicted classes of the items that are angry, happy, neutral or sad, chosen among these."""
    four = np.array([EMOTIONS.index(name) for name in FOUR])
    kept = np.isin(labels, four)
    return labels[kept], four[probabilities[kept][:, four].argmax(axis=1)]


def judge(probabilities: NDArray[np.float64], clips: Sequence[Clip]) -> dict[str, float]:
    """Balanced accuracy per corpus, over all its classes and over four."""
    result: dict[str, float] = {}
    for corpus in sorted({clip.corpus for clip in clips}):
        rows = np.array([clip.corpus == corpus for clip in clips])
        labels = np.array([clip.label for clip in clips])[rows]
        result[corpus] = balanced_accuracy(labels, probabilities[rows].argmax(axis=1))
        result[f"{corpus}_4"] = balanced_accuracy(*of_four(probabilities[rows], labels))
    return result


def evaluate(scores: Scores, clips: Sequence[Clip], temperature: float) -> dict[str, Any]:
    """Figures per corpus, per speaker, confusion matrices, and calibration error before and after the temperature."""
    probabilities = scores.probabilities(temperature)
    labels, predicted = np.array([clip.label for clip in clips]), probabilities.argmax(axis=1)
    result: dict[str, Any] = {"balanced_accuracy": judge(probabilities, clips), "speakers": {}, "confusion": {}}
    for speaker in sorted({clip.speaker for clip in clips}):
        rows = np.array([clip.speaker == speaker for clip in clips])
        result["speakers"][speaker] = {
            "utterances": int(rows.sum()),
            "accuracy": float((predicted[rows] == labels[rows]).mean()),
            "balanced_accuracy": balanced_accuracy(labels[rows], predicted[rows]),
            "balanced_accuracy_of_four": balanced_accuracy(*of_four(probabilities[rows], labels[rows])),
        }
    for corpus in sorted({clip.corpus for clip in clips}):
        rows = np.array([clip.corpus == corpus for clip in clips])
        result["confusion"][corpus] = confusion(labels[rows], predicted[rows], len(EMOTIONS)).tolist()
    result["calibration_error"] = {
        "before": expected_calibration_error(scores.probabilities(), labels),
        "after": expected_calibration_error(probabilities, labels),
    }
    return result
