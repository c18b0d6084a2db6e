"""A speaker's vector: the mean over the embeddings of some utterances, and how the voice usually sounds.

Needs numpy only.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

SIZE = 256
#: How many numbers say how an utterance sounds (`ml.features.voice.statistics`).
STATISTICS = 234
#: Length of `usual`: how much is known, then that share of the mean statistics.
USUAL = 1 + STATISTICS
#: Length of what a speech model is given: the embedding, then the usual voice.
VECTOR = SIZE + USUAL
#: So many utterances make known half of what is usual for a voice.
_HALF_KNOWN = 4
#: A speaker's vector is the mean over so many utterances.
UTTERANCES_PER_SPEAKER = 100


def speaker_vector(
    embeddings: Sequence[NDArray[np.float32] | None], *, drawn_by: np.random.Generator | None = None
) -> NDArray[np.float32]:
    """[256]: the arithmetic mean over up to a hundred embeddings, not normalised again (source A, section 3.1).

    The first hundred, so that a recording analysed again gives the same; with `drawn_by` a hundred at random, as in
    the authors' data preparation. Zeros when there is none.
    """
    known = [embedding for embedding in embeddings if embedding is not None]
    if drawn_by is not None and len(known) > UTTERANCES_PER_SPEAKER:
        known = [known[i] for i in drawn_by.choice(len(known), size=UTTERANCES_PER_SPEAKER, replace=False)]
    if not known:
        return np.zeros(SIZE, dtype=np.float32)
    return np.asarray(np.mean(known[:UTTERANCES_PER_SPEAKER], axis=0), dtype=np.float32)


def usual(heard: Sequence[NDArray[np.float32] | None]) -> NDArray[np.float32]:
    """[USUAL] of a speaker's utterances: n / (n + 4), and the mean of their statistics times that; zeros of none.

    So an unknown voice is one of whom nothing differs from the average, and a voice heard once hardly does.
    """
    known = [values for values in heard if values is not None]
    evidence = len(known) / (len(known) + _HALF_KNOWN)
    if not known:
        return np.zeros(USUAL, dtype=np.float32)
    mean = np.mean(known, axis=0, dtype=np.float64)
    return np.concatenate([[evidence], evidence * mean]).astype(np.float32)


def whole_vector(
    embedding: Sequence[float] | NDArray[np.float32], usual: Sequence[float] | NDArray[np.float32]
) -> NDArray[np.float32]:
    """[VECTOR] of a speaker's embedding [256] and usual voice [USUAL]; zeros for what is unknown (empty)."""
    result = np.zeros(VECTOR, dtype=np.float32)
    result[: len(embedding)] = embedding
    result[SIZE : SIZE + len(usual)] = usual
    return result
