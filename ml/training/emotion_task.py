"""Training a model of emotion on a fold, whether it hears or reads: what is drawn, what counts, who is judged."""

from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ml.training.metrics import balanced_accuracy
from ml.training.scoring import Scores

Batch = TypeVar("Batch")


class Learner(Protocol[Batch]):
    """A model together with the data set it learns from; items are positions in that."""

    @property
    def module(self) -> nn.Module:
        """What is trained."""

    @property
    def labels(self) -> NDArray[np.int64]:
        """Class ids of all items."""

    @property
    def classes(self) -> int:
        """Number of classes."""

    @property
    def device(self) -> str:
        """Where the model is."""

    def batch(self, items: NDArray[np.int64], rng: np.random.Generator) -> Batch:
        """Some items, or random parts of them, as a training batch on the CPU."""

    def losses(self, batch: Batch, class_weights: Tensor | None) -> dict[str, Tensor]:
        """Losses by name; `total` is the one that is minimised."""

    def scores(self, items: NDArray[np.int64]) -> Scores:
        """Logits of every piece of some items."""

    def stored(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """The weights that a bundle needs, by name, and the configuration that belongs to them."""


def class_weights(labels: NDArray[np.int64], classes: int) -> NDArray[np.float32]:
    """What an item of each class counts so that all classes count the same; mean 1 over the items."""
    counts = np.bincount(labels, minlength=classes)
    present = counts > 0
    weights = np.where(present, len(labels) / (np.maximum(counts, 1) * present.sum()), 0)
    return np.asarray(weights, dtype=np.float32)


class EmotionTask(Generic[Batch]):
    """A learner on the training and development items of a fold, as `ml.training.trainer.fit` sees it."""

    def __init__(
        self,
        learner: Learner[Batch],
        train: NDArray[np.int64],
        development: NDArray[np.int64],
        *,
        batch: int,
        weighted: bool,
    ) -> None:
        self.learner, self.module = learner, learner.module
        self._train, self._development, self._batch = train, development, batch
        counts = class_weights(learner.labels[train], learner.classes) if weighted else None
        self._weights = None if counts is None else torch.from_numpy(counts).to(learner.device)

    def draw(self, rng: np.random.Generator) -> Batch:
        """Random training items."""
        return self.learner.batch(rng.choice(self._train, size=self._batch), rng)

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """The learner's, in which classes count as they should."""
        return self.learner.losses(batch, self._weights)

    def judge(self) -> dict[str, float]:
        """Balanced accuracy, which decides, and the likelihood loss on the development items."""
        if not len(self._development):
            return {}
        labels, scores = self.learner.labels[self._development], self.learner.scores(self._development)
        predicted = scores.probabilities().argmax(axis=1)
        return {"score": balanced_accuracy(labels, predicted), "loss": scores.likelihood_loss(labels, 1.0)}
