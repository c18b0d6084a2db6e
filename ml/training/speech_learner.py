"""Source A's speech model and what it learns from: random crops, three losses, scores by utterance."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ml.models.makiuchi.config import CrossRepresentationConfig
from ml.models.makiuchi.cross import CrossRepresentation
from ml.models.makiuchi.decoder import PostNet
from ml.models.makiuchi.segments import crop_start, pieces
from ml.training.features import STATES, SpeechReader, SpeechSet
from ml.training.scoring import Scores
from ml.training.trainer import autocast

#: Pieces that are judged in one pass.
PIECES_PER_PASS = 64


@dataclass(frozen=True, slots=True)
class Crops:
    """Pieces of utterances, zero-padded to one length; `mel` and `phones` where the model reconstructs."""

    frames: Tensor
    speakers: Tensor
    labels: Tensor
    counts: Tensor
    mel: Tensor | None
    phones: Tensor | None


def begin_as_identity(postnet: PostNet) -> None:
    """Let the post-net change nothing at first.

    Its last batch norm gives noise of variance 1 over a spectrogram of variance 0.02, and the optimiser needs
    thousands of steps to turn that down, in which the decoder learns to make up for it.
    """
    last = postnet.convolutions[-1]
    assert isinstance(last, nn.BatchNorm1d)
    nn.init.zeros_(last.weight)


class SpeechLearner:
    """The training model of a configuration, with a data set.

    `released` trains as the authors' code does: padding counts in the squared errors, the post-net begins at random.
    """

    def __init__(
        self, data: SpeechSet, config: CrossRepresentationConfig, *, device: str, released: bool = False
    ) -> None:
        self.data, self.config, self.device, self.released = data, config, device, released
        self.labels, self.classes = data.labels, config.emotion.classes
        self.reader = SpeechReader(data)
        self.module = CrossRepresentation(config).to(device)
        if not released and self.module.postnet is not None:
            begin_as_identity(self.module.postnet)

    def batch(self, items: NDArray[np.int64], rng: np.random.Generator) -> Crops:
        """A random crop of every utterance."""
        length = self.config.emotion.segment_frames
        chosen = [int(i) for i in items]
        starts = [crop_start(self.data.frames[i], length, rng) for i in chosen]
        spans = [(i, s, min(s + length, self.data.frames[i])) for i, s in zip(chosen, starts, strict=True)]
        return self._cut(spans, reconstruct=self.config.losses.reconstructs)

    def losses(self, batch: Crops, class_weights: Tensor | None) -> dict[str, Tensor]:
        """Emotion, and mel before and after the post-net, with their sum."""
        crops = self._moved(batch)
        output = self.module(crops.frames, crops.speakers, crops.mel, crops.phones)
        counts = None if self.released else crops.counts
        return self.module.losses(output, crops.labels, crops.mel, class_weights=class_weights, counts=counts)

    @torch.inference_mode()
    def scores(self, items: NDArray[np.int64]) -> Scores:
        """Logits of every piece of some items."""
        spans, owners = self._pieces(items)
        logits = [self.module(c.frames, c.speakers).logits.double().cpu().numpy() for c in self._passes(spans)]
        by_length = self.config.emotion.segment_weight == "frames"
        weights = [float(stop - start) if by_length else 1.0 for _, start, stop in spans]
        return Scores(np.concatenate(logits), np.asarray(owners), np.asarray(weights), len(items))

    @torch.inference_mode()
    def codes(self, items: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Codes [S, numbers] of every piece of some items, and the position in `items` of its utterance."""
        spans, owners = self._pieces(items)
        codes = [self.module(c.frames, c.speakers).codes.flatten(1).float().cpu().numpy() for c in self._passes(spans)]
        return np.concatenate(codes), np.asarray(owners)

    @torch.inference_mode()
    def reconstruction_error(self, items: NDArray[np.int64], mean: Tensor) -> tuple[float, float]:
        """Mean squared error over real frames of the rebuilt mel spectrogram, and of the mean frame [80] in its place.

        The rebuilt one is the last that the model gives: after the post-net where there is one.
        """
        spans, _ = self._pieces(items)
        rebuilt = flat = 0.0
        frames = 0
        mean = mean.to(self.device)
        for crops in self._passes(spans, reconstruct=True):
            output = self.module(crops.frames, crops.speakers, crops.mel, crops.phones)
            assert crops.mel is not None and output.mel_before is not None
            mel = (output.mel_before if output.mel_after is None else output.mel_after).float()
            real = torch.arange(mel.shape[1], device=mel.device)[None] < crops.counts[:, None]
            rebuilt += float((mel - crops.mel).square().mean(dim=2)[real].sum())
            flat += float((mean - crops.mel).square().mean(dim=2)[real].sum())
            frames += int(real.sum())
        return rebuilt / frames, flat / frames

    def stored(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """What inference needs of the weights, and the whole configuration."""
        return self.module.inference_tensors(), self.config.to_json()

    def mean_mel(self, items: NDArray[np.int64]) -> Tensor:
        """The mean log-mel frame [80] of some items."""
        whole = [self.reader.mel(int(i), 0, self.data.frames[i]).double() for i in items]
        return (torch.stack([m.sum(dim=0) for m in whole]).sum(dim=0) / sum(len(m) for m in whole)).float()

    def _pieces(self, items: NDArray[np.int64]) -> tuple[list[tuple[int, int, int]], list[int]]:
        emotion = self.config.emotion
        drop = emotion.single_frame_tail == "dropped"
        spans, owners = [], []
        for position, index in enumerate(items):
            for start, stop in pieces(self.data.frames[index], emotion.segment_frames, drop_single_frame=drop):
                spans.append((int(index), start, stop))
                owners.append(position)
        return spans, owners

    def _passes(self, spans: Sequence[tuple[int, int, int]], *, reconstruct: bool = False) -> Iterator[Crops]:
        self.module.eval()
        for begin in range(0, len(spans), PIECES_PER_PASS):
            crops = self._moved(self._cut(spans[begin : begin + PIECES_PER_PASS], reconstruct=reconstruct))
            with autocast(self.device):
                yield crops

    def _cut(self, spans: Sequence[tuple[int, int, int]], *, reconstruct: bool) -> Crops:
        length, indices = self.config.emotion.segment_frames, [i for i, _, _ in spans]
        with_states = STATES in self.data.shelves and self.config.layers > 0
        read = self.reader.states if with_states else self.reader.mel
        frames = torch.stack([_padded(read(*span), length) for span in spans])
        return Crops(
            frames=frames.transpose(1, 2) if with_states else frames,
            speakers=self.reader.voices(indices),
            labels=torch.from_numpy(self.data.labels[indices]),
            counts=torch.tensor([stop - start for _, start, stop in spans]),
            mel=torch.stack([_padded(self.reader.mel(*s), length) for s in spans]) if reconstruct else None,
            phones=torch.stack([_padded(self.reader.phones(*s), length) for s in spans]) if reconstruct else None,
        )

    def _moved(self, crops: Crops) -> Crops:
        device = self.device
        return Crops(
            crops.frames.to(device),
            crops.speakers.to(device),
            crops.labels.to(device),
            crops.counts.to(device),
            None if crops.mel is None else crops.mel.to(device),
            None if crops.phones is None else crops.phones.to(device),
        )


def _padded(values: Tensor, length: int) -> Tensor:
    """Zeros after the end of [t, …], up to `length`."""
    if len(values) == length:
        return values
    return torch.cat([values, values.new_zeros((length - len(values), *values.shape[1:]))])
