"""What is usual for a voice: a linear guess at a speaker's mean tracks from the speaker's vector.

Emotion is heard against how somebody speaks otherwise. Centring features per speaker would need all of a speaker's
utterances; the model is given one vector of that speaker instead. Ridge regression over a few hundred speakers, most of
them unlabelled, says which pitch, spectrum and rhythm to expect of a vector. Being linear, it folds into the first
convolution of the classifier, which reads frames and that vector side by side.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.training.front_end import Standard
from ml.training.tracks import (
    F0,
    F0_FUNCTIONALS,
    FUNCTIONALS,
    LENGTH_FUNCTIONAL,
    Floats,
    bands16,
    voiced_rows,
)

#: 16 bands, F0, voicing, energy.
FRAME_MEASURES = 19
MEASURES = FUNCTIONALS + FRAME_MEASURES
_F0_COLUMN = FUNCTIONALS + 16
_RIDGE = 0.1
#: Draws per labelled speaker, half of them over all utterances, half over a random number of them.
_DRAWS = 24
#: Weight of a labelled speaker, who is heard in all emotions, and of an unlabelled one, heard in one recording.
_LABELLED, _UNLABELLED = 6.0, 0.3


@dataclass(frozen=True, slots=True)
class Measures:
    """How tracks become the measures [87] that the encoder reads out: standardised functionals, then frame tracks."""

    frame: Standard
    functional_mean: Floats
    functional_deviation: Floats

    def functionals(self, values: Floats) -> Floats:
        """Standardised functionals [N, 68], without extremes."""
        scaled = (values - self.functional_mean) / self.functional_deviation
        return np.asarray(np.clip(scaled, -4, 4), dtype=np.float32)

    def usual(self, functionals: Floats, tracks: NDArray[np.floating[Any]]) -> Floats:
        """One utterance's measures [87], averages over voiced frames; voicing and energy have no usual value."""
        full = tracks.astype(np.float32)
        mean = bands16(self.frame.apply(full)[voiced_rows(full)]).mean(axis=0)
        mean[17:] = 0
        return np.concatenate([self.functionals(functionals[None])[0], mean])

    def shift(self, octaves: float) -> Floats:
        """What a change of pitch adds to measures."""
        result = np.zeros(MEASURES, dtype=np.float32)
        columns = list(F0_FUNCTIONALS)
        result[columns] = octaves / self.functional_deviation[columns]
        result[_F0_COLUMN] = octaves / self.frame.deviation[F0]
        return result


def fit_baseline(
    labelled: Mapping[str, tuple[Floats, Floats]],
    unlabelled: Sequence[tuple[Floats, Floats]],
    rng: np.random.Generator,
) -> Floats:
    """Map [256, 87] from speaker vectors to usual measures.

    `labelled`: per speaker the vectors [n, 256] of utterances and the mean measures [87] over emotions; `unlabelled`:
    mean vector [256] and mean measures. No intercept: vectors are of nearly equal length, so that one direction of
    theirs serves, and the zero vector, an unknown voice, expects the average.
    """
    inputs = [vector for vector, _ in unlabelled]
    targets = [np.clip(measures, -4, 4) for _, measures in unlabelled]
    weights = [_UNLABELLED] * len(unlabelled)
    for vectors, measures in labelled.values():
        for draw in range(_DRAWS):
            count = len(vectors) if draw < _DRAWS // 2 else some(len(vectors), rng)
            inputs.append(vectors[rng.choice(len(vectors), count, replace=False)].mean(axis=0))
            targets.append(measures)
            weights.append(_LABELLED / _DRAWS)
    x, y, w = np.stack(inputs), np.stack(targets), np.array(weights)[:, None]
    result = np.linalg.solve(x.T @ (w * x) + _RIDGE * np.eye(x.shape[1]), x.T @ (w * y))
    result[:, LENGTH_FUNCTIONAL] = 0  # how long an utterance is, is no trait of a voice
    return np.asarray(result, dtype=np.float32)


def some(count: int, rng: np.random.Generator) -> int:
    """A number from 1 to count, small ones as likely as large ones."""
    return int(np.exp(rng.uniform(0, np.log(count))))


@dataclass(frozen=True, slots=True)
class Voices:
    """Vectors of utterances per speaker, and what is usual for them."""

    by_speaker: dict[str, NDArray[np.float32]]
    baseline: Floats

    def mean(self, speaker: str) -> Floats:
        """The vector [256] that production would use: the mean over the first hundred utterances."""
        return np.asarray(self.by_speaker[speaker][:100].mean(axis=0), dtype=np.float32)

    def drawn(self, speaker: str, rng: np.random.Generator) -> Floats:
        """Usual measures [87] by a random subset with noise; one time in ten of an unknown voice."""
        if rng.random() < 0.1:
            return np.zeros(self.baseline.shape[1], dtype=np.float32)
        vectors = self.by_speaker[speaker]
        mean = vectors[rng.choice(len(vectors), some(len(vectors), rng), replace=False)].mean(axis=0)
        return np.asarray((mean + rng.normal(0, 0.01, len(mean))) @ self.baseline, dtype=np.float32)
