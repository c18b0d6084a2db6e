"""Source A's text CNN as the trainer sees it: token vectors of a frozen encoder, padded per batch."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ml.models.makiuchi.text import TextEmotionCnn, TextEmotionConfig
from ml.training.features import TextReader, TextSet
from ml.training.metrics import balanced_accuracy
from ml.training.scoring import Scores
from ml.training.speech_task import class_weights

#: Texts that are judged in one pass.
TEXTS_PER_PASS = 256


@dataclass(frozen=True, slots=True)
class Tokens:
    """Token vectors [B, T, D], which of them are real [B, T], and labels [B]."""

    vectors: Tensor
    mask: Tensor
    labels: Tensor


class TextTask:
    """The CNN of a configuration, on some items of a data set."""

    def __init__(
        self,
        data: TextSet,
        config: TextEmotionConfig,
        train: NDArray[np.int64],
        development: NDArray[np.int64],
        *,
        batch: int,
        weighted: bool,
        device: str,
    ) -> None:
        self.data, self.config, self.train, self.development = data, config, train, development
        self.reader = TextReader(data)
        self.module = TextEmotionCnn(config).to(device)
        self._batch, self._device = batch, device
        counts = class_weights(data.labels[train], config.classes) if weighted else None
        self._weights = None if counts is None else torch.from_numpy(counts).to(device)

    def draw(self, rng: np.random.Generator) -> Tokens:
        """Random texts."""
        return self._padded([int(i) for i in rng.choice(self.train, size=self._batch)])

    def losses(self, batch: Tokens) -> dict[str, Tensor]:
        """Cross-entropy; of the sigmoid's values in the faithful variant, as released."""
        logits = self.module(batch.vectors.to(self._device), batch.mask.to(self._device))
        labels = batch.labels.to(self._device)
        return {"total": nn.functional.cross_entropy(logits.float(), labels, weight=self._weights)}

    def judge(self) -> dict[str, float]:
        """Balanced accuracy, which decides, and the likelihood loss on the development items."""
        if not len(self.development):
            return {}
        labels, scores = self.data.labels[self.development], self.scores(self.development)
        predicted = scores.probabilities().argmax(axis=1)
        return {"score": balanced_accuracy(labels, predicted), "loss": scores.likelihood_loss(labels, 1.0)}

    @torch.inference_mode()
    def scores(self, items: NDArray[np.int64]) -> Scores:
        """Logits of every text; a text without a token gets even ones, since inference gives it no value at all."""
        self.module.eval()
        logits = np.zeros((len(items), self.config.classes))
        for begin in range(0, len(items), TEXTS_PER_PASS):
            batch = self._padded([int(i) for i in items[begin : begin + TEXTS_PER_PASS]])
            own = self.module(batch.vectors.to(self._device), batch.mask.to(self._device)).double().cpu().numpy()
            own[~batch.mask.any(dim=1).numpy()] = 0.0
            logits[begin : begin + len(own)] = own
        return Scores.of_whole(logits)

    def _padded(self, indices: Sequence[int]) -> Tokens:
        texts = [self.reader.tokens(i) for i in indices]
        length = self.module.padded_to or max(1, *(len(t) for t in texts))
        vectors = torch.zeros(len(texts), length, self.config.input_size)
        mask = torch.zeros(len(texts), length, dtype=torch.bool)
        for row, own in enumerate(texts):
            vectors[row, : len(own)] = torch.from_numpy(own)
            mask[row, : len(own)] = True
        return Tokens(vectors, mask, torch.from_numpy(self.data.labels[list(indices)]))
