"""Source A's text CNN and what it learns from: token vectors of a frozen encoder, padded per batch."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ml.models.makiuchi.text import TextEmotionCnn, TextEmotionConfig
from ml.training.features import TextReader, TextSet
from ml.training.scoring import Scores

#: Texts that are judged in one pass.
TEXTS_PER_PASS = 256


@dataclass(frozen=True, slots=True)
class Tokens:
    """Token vectors [B, T, D], which of them are real [B, T], and labels [B]."""

    vectors: Tensor
    mask: Tensor
    labels: Tensor


class TextLearner:
    """The CNN of a configuration, with a data set."""

    def __init__(self, data: TextSet, config: TextEmotionConfig, *, device: str) -> None:
        self.config, self.device = config, device
        self.labels, self.classes = data.labels, config.classes
        self.reader = TextReader(data)
        self.module = TextEmotionCnn(config).to(device)

    def batch(self, items: NDArray[np.int64], rng: np.random.Generator) -> Tokens:
        """The texts as they are."""
        return self._padded(items)

    def losses(self, batch: Tokens, class_weights: Tensor | None) -> dict[str, Tensor]:
        """Cross-entropy; of the sigmoid's values in the faithful variant, as released."""
        logits = self.module(batch.vectors.to(self.device), batch.mask.to(self.device))
        labels = batch.labels.to(self.device)
        return {"total": nn.functional.cross_entropy(logits.float(), labels, weight=class_weights)}

    @torch.inference_mode()
    def scores(self, items: NDArray[np.int64]) -> Scores:
        """Logits of every text; a text without a token gets even ones, since inference gives it no value at all."""
        self.module.eval()
        logits = np.zeros((len(items), self.config.classes))
        for begin in range(0, len(items), TEXTS_PER_PASS):
            batch = self._padded(items[begin : begin + TEXTS_PER_PASS])
            own = self.module(batch.vectors.to(self.device), batch.mask.to(self.device)).double().cpu().numpy()
            own[~batch.mask.any(dim=1).numpy()] = 0.0
            logits[begin : begin + len(own)] = own
        return Scores.of_whole(logits)

    def stored(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """All weights, as the head of a bundle."""
        return {f"head.{name}": tensor for name, tensor in self.module.state_dict().items()}, self.module.to_config()

    def _padded(self, items: NDArray[np.int64]) -> Tokens:
        texts = [self.reader.tokens(int(i)) for i in items]
        length = self.module.padded_to or max(1, *(len(t) for t in texts))
        vectors = torch.zeros(len(texts), length, self.config.input_size)
        mask = torch.zeros(len(texts), length, dtype=torch.bool)
        for row, own in enumerate(texts):
            vectors[row, : len(own)] = torch.from_numpy(own)
            mask[row, : len(own)] = True
        return Tokens(vectors, mask, torch.from_numpy(self.labels[items]))
