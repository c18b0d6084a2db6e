"""eGeMAPS functionals (Eyben et al. 2016) by openSMILE, which is an extra of its own.

openSMILE's licence allows research, teaching and personal use, not commercial products, so it is never installed
unasked, and nothing that is shipped needs it.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from ml.corpora.types import LabelledUtterance
from ml.errors import TenorError
from ml.experiments.speech_preparation import waveform
from ml.training.features import MEL, SpeechSet

SHELF, ROW = "egemaps-v02", "functionals"


class ExtraMissing(TenorError):
    """A package that is only installed on request is not installed."""

    code = "extra_missing"
    hint = (
        "Install the extra: .venv/bin/pip install -e '.[egemaps]' (openSMILE's licence does not allow commercial use)."
    )


def functionals(waves: Iterable[NDArray[np.float32]]) -> NDArray[np.float32]:
    """88 functionals per waveform [N, 88] at 16 kHz; raises `ExtraMissing`."""
    try:
        import opensmile
    except ImportError:
        raise ExtraMissing("opensmile is not installed") from None
    smile = opensmile.Smile(
        feature_set=opensmile.FeatureSet.eGeMAPSv02, feature_level=opensmile.FeatureLevel.Functionals
    )
    rows = [smile.process_signal(wave, 16_000).to_numpy(dtype=np.float32)[0] for wave in waves]
    return np.asarray(np.nan_to_num(np.stack(rows)), dtype=np.float32)


def egemaps(items: Sequence[LabelledUtterance], data: SpeechSet) -> NDArray[np.float32]:
    """88 functionals per item [N, 88], kept in the run's cache; raises `ExtraMissing`."""
    shelf = data.cache.open().shelf(SHELF)
    kept = [shelf.get(key) for key in data.keys[MEL]]
    missing = [row for row, found in enumerate(kept) if found is None]
    if missing:
        for row, values in zip(missing, functionals(waveform(items[row]) for row in missing), strict=True):
            kept[row] = {ROW: torch.from_numpy(values)}
            shelf.put(data.keys[MEL][row], {ROW: torch.from_numpy(values)})
    return np.stack([found[ROW].numpy() for found in kept if found is not None])
