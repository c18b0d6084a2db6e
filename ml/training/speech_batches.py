"""Batches for the small speech model: crops of stored features with stretches hidden, and what to learn of them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ml.training.feature_bank import Version
from ml.training.front_end import Standard
from ml.training.speaker_baseline import FRAME_MEASURES, Measures, Voices
from ml.training.speech_data import Clip
from ml.training.speech_model import SEGMENT, Heard
from ml.training.tracks import BANDS, FUNCTIONALS, VOICED, VOICING

_HIDDEN_STRETCHES, _HIDDEN_FRAMES = 2, 12
_SMOOTHING = 0.08


@dataclass(frozen=True, slots=True)
class Batch:
    """Crops of B utterances."""

    #: [B, T, 192] with stretches of zeros, and as they were.
    features: Tensor
    whole: Tensor
    counts: Tensor
    #: What is usual for the speakers [B, 87].
    usual: Tensor
    #: Standardised functionals of the whole utterances [B, 68].
    functionals: Tensor
    labels: Tensor


class Batches:
    """Draws batches in which corpora and classes are even, whatever their sizes."""

    def __init__(
        self, clips: Sequence[Clip], bank: Sequence[Sequence[Version]], measures: Measures, voices: Voices
    ) -> None:
        self._clips, self._bank, self._measures, self._voices = clips, bank, measures, voices
        self._odds = sampling_odds(clips)

    def draw(self, size: int, rng: np.random.Generator, *, device: str) -> Batch:
        """Some `size` segments: as many utterances of one segment, or half as many of two."""
        segments = 1 if rng.random() < 0.7 else 2
        picked = rng.choice(len(self._clips), size=size // segments, p=self._odds)
        versions = [self._bank[i][int(rng.integers(len(self._bank[i])))] for i in picked]
        frames = segments * SEGMENT
        whole = np.zeros((len(picked), frames, versions[0].features.shape[1]), dtype=np.float32)
        counts = np.zeros(len(picked), dtype=np.int64)
        for row, version in enumerate(versions):
            start = int(rng.integers(max(1, len(version.features) - frames + 1)))
            piece = version.features[start : start + frames]
            whole[row, : len(piece)], counts[row] = piece, len(piece)
        usual = [
            self._voices.drawn(self._clips[i].speaker, rng) + self._measures.shift(version.octaves)
            for i, version in zip(picked, versions, strict=True)
        ]
        functionals = self._measures.functionals(np.stack([version.functionals for version in versions]))
        arrays = (_hidden(whole, counts, rng), whole, counts, np.stack(usual), functionals)
        labels = np.array([self._clips[i].label for i in picked])
        return Batch(*(torch.from_numpy(array).to(device) for array in (*arrays, labels)))


def sampling_odds(clips: Sequence[Clip]) -> NDArray[np.float64]:
    """Probability of each clip, so that corpora, and classes within them, are drawn evenly."""
    keys = [(clip.corpus, clip.label) for clip in clips]
    counts = Counter(keys)
    classes = Counter(corpus for corpus, _ in counts)
    odds = np.array([1 / counts[key] / classes[key[0]] for key in keys])
    return np.asarray(odds / odds.sum())


def _hidden(whole: NDArray[np.float32], counts: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.float32]:
    """A copy with two stretches of up to 0.22 s of every row zeroed (SpecAugment, Park et al., Interspeech 2019)."""
    result = whole.copy()
    for row, count in enumerate(counts):
        for _ in range(_HIDDEN_STRETCHES):
            length = int(rng.integers(_HIDDEN_FRAMES))
            start = int(rng.integers(max(1, int(count) - length)))
            result[row, start : start + length] = 0
    return result


def measure_loss(heard: Heard, batch: Batch, tracks: Tensor, frame: Standard) -> Tensor:
    """Squared error of the measures: functionals of the utterance at every frame, and the frame's own tracks.

    `tracks` [B, T, 83] are what the convolutions' read-out says of whole features; hidden frames have to be guessed.
    """
    measures = heard.measures.float()
    real = (torch.arange(measures.shape[1], device=measures.device)[None] < batch.counts[:, None]).float()
    bands = tracks[:, :, :BANDS].unflatten(2, (16, 5)).mean(dim=3)
    prosody = tracks[:, :, BANDS:]
    voiced = real * (tracks[:, :, VOICING] * float(frame.deviation[VOICING]) + float(frame.mean[VOICING]) > VOICED)
    own = measures[:, :, FUNCTIONALS : FUNCTIONALS + FRAME_MEASURES]
    of_bands = (own[:, :, :16] - bands).square().mean(dim=2)
    of_prosody = (own[:, :, 16:] - prosody).square()
    of_utterance = (measures[:, :, :FUNCTIONALS] - batch.functionals[:, None]).square().mean(dim=2)
    per_frame = of_utterance + 0.5 * of_bands + 0.15 * of_prosody[:, :, 1:].mean(dim=2)
    pitch = (of_prosody[:, :, 0] * voiced).sum() / voiced.sum().clamp(min=1)
    loss: Tensor = (per_frame * real).sum() / real.sum() + 0.1 * pitch
    return loss


def emotion_loss(heard: Heard, labels: Tensor) -> Tensor:
    """Cross-entropy of segments by their real frames, and half of that of the utterance as a whole."""
    weights = heard.real.flatten().float()
    targets = labels[:, None].expand(-1, heard.logits.shape[1]).flatten()
    each = nn.functional.cross_entropy(
        heard.logits.float().flatten(0, 1), targets, reduction="none", label_smoothing=_SMOOTHING
    )
    pooled = nn.functional.cross_entropy(heard.pooled.float(), labels, label_smoothing=_SMOOTHING)
    return (each * weights).sum() / weights.sum() + 0.5 * pooled
