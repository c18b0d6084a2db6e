"""From scores of pieces to probabilities of utterances, and the temperature that makes them honest."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.models.calibration import log_softmax, lowest

#: Below it a probability is not taken for certain when likelihoods are compared.
LEAST = 1e-12


@dataclass(frozen=True, slots=True)
class Scores:
    """Logits [S, classes] of pieces, whose utterance each is (0 … N-1), and what it counts."""

    logits: NDArray[np.float64]
    owners: NDArray[np.int64]
    weights: NDArray[np.float64]
    count: int

    @classmethod
    def of_whole(cls, logits: NDArray[np.float64]) -> "Scores":
        """Utterances [N, classes] that are one piece each."""
        return cls(logits, np.arange(len(logits)), np.ones(len(logits)), len(logits))

    def probabilities(self, temperature: float = 1.0) -> NDArray[np.float64]:
        """[N, classes]: the mean over an utterance's pieces, as inference has it; even where there is no piece."""
        parts = np.exp(log_softmax(self.logits / temperature))
        sums = np.zeros((self.count, self.logits.shape[1]))
        np.add.at(sums, self.owners, self.weights[:, None] * parts)
        total = np.bincount(self.owners, self.weights, minlength=self.count)[:, None]
        return np.where(total > 0, sums / np.where(total > 0, total, 1), 1 / self.logits.shape[1])

    def likelihood_loss(self, labels: NDArray[np.int64], temperature: float) -> float:
        """Mean negative log-likelihood of labels [N]."""
        chosen = self.probabilities(temperature)[np.arange(self.count), labels]
        return float(-np.log(np.maximum(chosen, LEAST)).mean())

    def fitted_temperature(self, labels: NDArray[np.int64]) -> float:
        """The temperature in [0.25, 8] with the lowest likelihood loss (Guo et al., ICML 2017, section 4.2)."""
        exponent = lowest(
            lambda e: self.likelihood_loss(labels, float(np.exp(e))), float(np.log(0.25)), float(np.log(8))
        )
        return float(np.exp(exponent))
