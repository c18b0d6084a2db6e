"""Temperatures and fusion weights fitted anew on development speakers, for champion and challenger alike."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.emotions import EMOTIONS
from ml.gate.measuring import Measured
from ml.models.calibration import fit_temperature
from ml.models.fitting import fit_fusion

#: Utterances of development speakers that a temperature is fitted on, and with words that weights are.
MIN_ITEMS = 30
_SMALLEST = 1e-7

Floats = NDArray[np.float64]


def refitted(spec: dict[str, Any], measured: Measured, labels: NDArray[np.int64]) -> dict[str, Any]:
    """A specification with temperatures and weights that fit measured development utterances [N] best.

    Where there are too few, it stays as it is. A side's temperature is fitted on its utterances' probabilities, which
    equals fitting on logits where an utterance is one segment, and comes near it elsewhere.
    """
    known = [EMOTIONS.index(label) for label in spec["labels"]]
    inside = np.isin(labels, known)
    own = np.searchsorted(known, labels[inside])
    speech, text = (_logs(values[inside][:, known]) for values in (measured.speech, measured.text))
    heard = ~np.isnan(speech).any(axis=1)
    both = heard & ~np.isnan(text).any(axis=1)
    result = {**spec, "speech": dict(spec["speech"])}
    if heard.sum() < MIN_ITEMS:
        return result
    if "text" in spec and both.sum() >= MIN_ITEMS:
        fitted = fit_fusion(speech, text, own)
        result["text"] = {**spec["text"], "temperature": spec["text"]["temperature"] * fitted.temperature_text}
        result["fusion"] = {**spec["fusion"], "w_speech": fitted.w_speech, "w_text": fitted.w_text}
        factor = fitted.temperature_speech
    else:
        factor = fit_temperature(speech[heard], own[heard])
    result["speech"]["temperature"] = spec["speech"]["temperature"] * factor
    return result


def _logs(probabilities: Floats) -> Floats:
    """Log-probabilities; a class that a side does not know has the smallest, a row without scores stays NaN."""
    absent = np.isnan(probabilities).all(axis=1)
    logs: Floats = np.log(np.maximum(np.nan_to_num(probabilities), _SMALLEST))
    logs[absent] = np.nan
    return logs
