"""Fitting score fusion on development data: a temperature for each side, then the weights.

Source A chose 0.6 and 1.0 on the folds that it reports; here they are fitted on speakers that no figure is about.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.errors import ModelError
from ml.models.calibration import fit_temperature, log_softmax, lowest

#: Probabilities are not taken for smaller: one certain error must not decide the weights alone.
_SMALLEST = 1e-6


class FusionNotFitted(ModelError):
    """There is nothing to fit fusion weights on."""

    code = "fusion_not_fitted"
    hint = "Give development utterances that have a score by voice, a score by words and a label."


@dataclass(frozen=True, slots=True)
class FittedFusion:
    """What `[fusion]` of a profile and the temperatures of its bundles should be; weights add up to one."""

    w_speech: float
    w_text: float
    temperature_speech: float
    temperature_text: float


def fit_fusion(speech: NDArray[np.float64], text: NDArray[np.float64], labels: NDArray[np.int64]) -> FittedFusion:
    """Fit temperatures and weights on log-probabilities or logits [N, C] of both sides and class ids [N].

    NaN rows are utterances without a side: they count for the other side's temperature, not for the weights, as in use
    they are scored by one side whatever the weights are. Each temperature is the one with the lowest likelihood loss
    of its side; the weight is that of the fused probabilities, which is convex in it, so the minimum is the only one.
    Raises `FusionNotFitted` when no utterance has both sides.
    """
    has_speech, has_text = ~np.isnan(speech).any(axis=1), ~np.isnan(text).any(axis=1)
    both = has_speech & has_text
    if not both.any():
        raise FusionNotFitted("no development utterance has scores by voice and by words")
    t_speech = fit_temperature(speech[has_speech], labels[has_speech])
    t_text = fit_temperature(text[has_text], labels[has_text])
    rows = np.arange(int(both.sum()))
    by_voice = np.exp(log_softmax(speech[both] / t_speech))[rows, labels[both]]
    by_words = np.exp(log_softmax(text[both] / t_text))[rows, labels[both]]

    def loss(share: float) -> float:
        fused = share * by_voice + (1 - share) * by_words
        return float(-np.log(np.maximum(fused, _SMALLEST)).mean())

    # The ends are tried too: golden-section search only comes near them.
    share = min((0.0, lowest(loss, 0.0, 1.0), 1.0), key=loss)
    return FittedFusion(share, 1 - share, t_speech, t_text)
