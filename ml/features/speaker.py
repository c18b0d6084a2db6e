"""A speaker's vector: the mean over the embeddings of some utterances. Needs numpy only, so training shares it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

SIZE = 256
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
