"""The floor of the small speech model: eGeMAPS and a support vector machine in the same folds.

`python -m ml.experiments.speech_floor --ravdess … --nemo … --folds 5 --out floor.json`; needs the extra `egemaps`.
Per corpus, four classes, trained on that corpus alone, no tuning.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.corpora.nemo import nemo
from ml.corpora.ravdess import ravdess
from ml.emotions import EMOTIONS
from ml.experiments.baselines import support_vectors
from ml.experiments.egemaps import extractor
from ml.training.metrics import bootstrap
from ml.training.speech_data import load_clips
from ml.training.speech_report import speaker_folds
from ml.training.voice_bank import FOUR


def floor_of(
    rows: NDArray[np.float32],
    labels: NDArray[np.int64],
    corpora: NDArray[np.str_],
    speakers: NDArray[np.str_],
    folds: int,
) -> dict[str, Any]:
    """Balanced accuracy of four classes by corpus, with its interval over speakers."""
    four = np.isin(labels, [EMOTIONS.index(name) for name in FOUR])
    predicted = np.zeros_like(labels)
    for test in speaker_folds(corpora, speakers, folds):
        tested = np.isin(np.arange(len(labels)), test)
        for corpus in sorted(set(corpora)):
            own = four & (corpora == corpus)
            train, held = np.flatnonzero(own & ~tested), np.flatnonzero(own & tested)
            predicted[held] = support_vectors(rows[train], labels[train], rows[held])
    found = {}
    for corpus in sorted(set(corpora)):
        own = four & (corpora == corpus)
        interval = bootstrap(labels[own], predicted[own], list(speakers[own]), len(EMOTIONS))["balanced_accuracy"]
        found[corpus] = {"value": interval.value, "low": interval.low, "high": interval.high}
    return found


def main() -> None:
    """Compute and write the floor."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ravdess", type=Path, required=True)
    parser.add_argument("--nemo", type=Path, required=True)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    extract = extractor()
    clips = load_clips([*ravdess(options.ravdess), *nemo(options.nemo)])
    found = floor_of(
        np.stack([extract(clip.recorded) for clip in clips]),
        np.array([clip.label for clip in clips]),
        np.array([clip.corpus for clip in clips]),
        np.array([clip.speaker for clip in clips]),
        options.folds,
    )
    options.out.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
