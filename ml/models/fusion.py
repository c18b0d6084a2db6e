"""Score fusion: a weighted sum of the two models' probabilities (source A, section 3.3; w1 = 0.6, w2 = 1.0 there)."""

import numpy as np
from numpy.typing import NDArray


def score_fusion(
    speech: NDArray[np.float64], text: NDArray[np.float64], *, w_speech: float, w_text: float
) -> NDArray[np.float64]:
    """Fused probabilities [N, C], normalised by w_speech + w_text; a row that is all NaN on one side is the other's.

    A class that only one of the two models knows has probability zero from the other, so rows still sum to one.
    """
    weighted = w_speech * np.nan_to_num(speech) + w_text * np.nan_to_num(text)
    fused: NDArray[np.float64] = np.where(np.isnan(speech) & np.isnan(text), np.nan, weighted / (w_speech + w_text))
    no_text, no_speech = np.isnan(text).all(axis=1), np.isnan(speech).all(axis=1)
    fused[no_text] = speech[no_text]
    fused[no_speech & ~no_text] = text[no_speech & ~no_text]
    return fused


def to_label_set(
    probabilities: NDArray[np.float64],
    labels: tuple[str, ...],
    wanted: tuple[str, ...],
    all_labels: tuple[str, ...],
) -> NDArray[np.float64]:
    """A model's [N, labels] as [N, all_labels]: restricted to `wanted`, renormalised, NaN everywhere else.

    A row whose wanted classes all have probability zero becomes NaN.
    """
    result = np.full((len(probabilities), len(all_labels)), np.nan)
    kept = [label for label in wanted if label in labels]
    own = probabilities[:, [labels.index(label) for label in kept]]
    with np.errstate(invalid="ignore", divide="ignore"):
        own = own / own.sum(axis=1, keepdims=True)
    result[:, [all_labels.index(label) for label in kept]] = own
    return result
