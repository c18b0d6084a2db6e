"""Speech, text and both: how score fusion does over its weights.

Where a corpus has both for an utterance, pairs are real. Where text comes from another corpus, each spoken test item is
given a random text of the same label: that shows the machinery at work and how errors of two independent sides would
combine, but no figure of it is an accuracy on real conversations, so it is called artificial wherever it appears.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.experiments.outcomes import Outcome
from ml.models.fitting import FusionNotFitted, fit_fusion
from ml.models.fusion import score_fusion
from ml.training.metrics import accuracy, balanced_accuracy

#: Weights of speech, those of text being what is missing to 1.
GRID = tuple(round(0.1 * step, 1) for step in range(11))
#: Source A's weights (section 6.3), which belong to its sigmoid-bounded text probabilities.
PAPER_WEIGHTS = (0.6, 1.0)
#: Probabilities below it are not told apart where their logarithm is taken.
SMALLEST = 1e-9


@dataclass(frozen=True, slots=True)
class Pairs:
    """Spoken items [N] and, for each, the text item that goes with it; −1 where there is none."""

    spoken: NDArray[np.int64]
    written: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Sides:
    """Probabilities [N, classes] of both sides for the same N pairs, NaN rows where a side is missing."""

    speech: NDArray[np.float64]
    text: NDArray[np.float64]
    labels: NDArray[np.int64]

    def fused(self, w_speech: float, w_text: float) -> NDArray[np.float64]:
        """[N, classes] at some weights."""
        return score_fusion(self.speech, self.text, w_speech=w_speech, w_text=w_text)


def artificial_pairs(
    spoken: NDArray[np.int64],
    labels: NDArray[np.int64],
    written_labels: NDArray[np.int64],
    written: NDArray[np.int64],
    seed: int,
) -> Pairs:
    """Each spoken item with a random text of its label; those whose label no text has are left out."""
    rng = np.random.default_rng(seed)
    by_label = {int(c): written[written_labels[written] == c] for c in np.unique(written_labels[written])}
    kept = np.asarray([i for i in spoken if int(labels[i]) in by_label], dtype=np.int64)
    chosen = [int(rng.choice(by_label[int(labels[i])])) for i in kept]
    return Pairs(kept, np.asarray(chosen, dtype=np.int64))


def rows_of(
    items: Sequence[int], probabilities: Sequence[Sequence[float]], wanted: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Probabilities of wanted items; NaN for those that are not among `items`."""
    table = np.asarray(probabilities, dtype=np.float64)
    where = {item: row for row, item in enumerate(items)}
    result = np.full((len(wanted), table.shape[1]), np.nan)
    for row, item in enumerate(wanted):
        if int(item) in where:
            result[row] = table[where[int(item)]]
    return result


def fitted_weight(development: Sides) -> float:
    """The speech weight, of 1, with the lowest likelihood loss on development pairs; text has the rest.

    Both sides are calibrated already, so the temperatures that are fitted with it are about 1. Without a pair it is 1.
    """
    speech, text = (np.log(np.maximum(side, SMALLEST)) for side in (development.speech, development.text))
    try:
        return fit_fusion(speech, text, development.labels).w_speech
    except FusionNotFitted:
        return 1.0


def sweep(sides: Sides) -> list[dict[str, Any]]:
    """Accuracy and balanced accuracy at every weight of `GRID` and at the paper's, over pairs that have both sides."""
    rows = []
    for w_speech, w_text in (*((w, round(1 - w, 1)) for w in GRID), PAPER_WEIGHTS):
        predicted = sides.fused(w_speech, w_text).argmax(axis=1)
        rows.append(
            {
                "w_speech": w_speech,
                "w_text": w_text,
                "accuracy": accuracy(sides.labels, predicted),
                "balanced_accuracy": balanced_accuracy(sides.labels, predicted),
            }
        )
    return rows


def outcomes_of(pairs: Pairs, sides: Sides, fused: NDArray[np.float64], note: str) -> list[Outcome]:
    """Rows of the report: speech, text and fused on the same pairs."""
    named: Mapping[str, NDArray[np.float64]] = {"speech": sides.speech, "text": sides.text, "speech + text": fused}
    return [
        Outcome(name, pairs.spoken, values.argmax(axis=1), values, kind="fusion", notes=(note,))
        for name, values in named.items()
    ]
