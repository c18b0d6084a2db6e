"""Speaker vectors, which the head reads beside the frames: of each speaker, as the pipeline makes them."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml.adaptation.bank import digest, waveform
from ml.corpora.types import LabelledUtterance
from ml.features.speaker import UTTERANCES_PER_SPEAKER, speaker_vector

Vectors = Mapping[str, NDArray[np.float32]]
Embed = Callable[[Sequence[NDArray[np.float32]]], Sequence[NDArray[np.float32] | None]]


def _embedded(waves: Sequence[NDArray[np.float32]]) -> Sequence[NDArray[np.float32] | None]:
    from ml.alignment.speakers import embed_utterances

    return embed_utterances(waves)


def speaker_vectors(
    items: Sequence[LabelledUtterance],
    keys: Sequence[str],
    folder: Path,
    *,
    known: Vectors,
    embed: Embed | None = None,
) -> dict[str, NDArray[np.float32]]:
    """Speaker → [256] of all items; those of `known` (the pipeline's) are taken, the others made once, in `folder`.

    `keys` say the content of each item, `embed` gives embeddings of waveforms (Resemblyzer's, as the pipeline does).
    """
    own: dict[str, list[int]] = {}
    for number, item in enumerate(items):
        chosen = own.setdefault(item.speaker, [])
        if len(chosen) < UTTERANCES_PER_SPEAKER:
            chosen.append(number)
    result = {speaker: known[speaker] for speaker in own if speaker in known}
    for speaker in own.keys() - known.keys():
        path = folder / f"voice-{digest(speaker, *(keys[i] for i in own[speaker]))}.npy"
        if not path.is_file():
            vector = speaker_vector(list((embed or _embedded)([waveform(items[i]) for i in own[speaker]])))
            folder.mkdir(parents=True, exist_ok=True)
            partial = path.with_name(f".{path.name}.{os.getpid()}.npy")
            np.save(partial, vector)
            os.replace(partial, path)
        result[speaker] = np.load(path)
    return result
