"""eGeMAPS functionals (Eyben et al. 2016) by openSMILE, which is an extra of its own.

openSMILE's licence allows research, teaching and personal use, not commercial products, so it is never installed
unasked, and nothing that is shipped needs it.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from ml.corpora.sound import waveform
from ml.corpora.types import LabelledUtterance
from ml.errors import TenorError
from ml.training.features import MEL, SpeechSet

SHELF, ROW = "egemaps-v02", "functionals"


class ExtraMissing(TenorError):
    """A package that is only installed on request is not installed."""

    code = "extra_missing"
    hint = (
        "Install the extra: .venv/bin/pip install -e '.[egemaps]' (openSMILE's licence does not allow commercial use)."
    )


def extractor() -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """What makes 88 functionals [88] of a waveform [n] at 16 kHz; raises `ExtraMissing`."""
    try:
        import opensmile
    except ImportError:
        raise ExtraMissing("opensmile is not installed") from None
    smile = opensmile.Smile(
        feature_set=opensmile.FeatureSet.eGeMAPSv02, feature_level=opensmile.FeatureLevel.Functionals
    )

    def extract(wave: NDArray[np.float32]) -> NDArray[np.float32]:
        values = smile.process_signal(wave, 16_000).to_numpy(dtype=np.float32)[0]
        return np.asarray(np.nan_to_num(values), dtype=np.float32)

    return extract


def egemaps(items: Sequence[LabelledUtterance], data: SpeechSet) -> NDArray[np.float32]:
    """88 functionals per item [N, 88], kept in the run's cache; raises `ExtraMissing`."""
    extract = extractor()
    shelf = data.cache.open().shelf(SHELF)
    rows = []
    for item, key in zip(items, data.keys[MEL], strict=True):
        found = shelf.get(key)
        if found is None:
            found = {ROW: torch.from_numpy(extract(waveform(item)))}
            shelf.put(key, found)
        rows.append(found[ROW].numpy())
    return np.stack(rows)
