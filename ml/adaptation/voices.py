"""Speaker vectors, which the head reads beside the frames: of each speaker, as the pipeline makes them."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml.adaptation.bank import digest
from ml.alignment.voice import Hear, KnownVoice, hear_voices
from ml.corpora.sound import waveform
from ml.corpora.types import LabelledUtterance
from ml.features.speaker import UTTERANCES_PER_SPEAKER

Vectors = Mapping[str, NDArray[np.float32]]


def speaker_vectors(
    items: Sequence[LabelledUtterance],
    keys: Sequence[str],
    folder: Path,
    *,
    known: Vectors,
    embed: Hear | None = None,
) -> dict[str, NDArray[np.float32]]:
    """Speaker → [VECTOR] of all items; those of `known` (the pipeline's) are taken, the others made once, in `folder`.

    `keys` say the content of each item, `embed` says what waveforms tell of a voice (`hear_voices`, as the pipeline).
    """
    own: dict[str, list[int]] = {}
    for number, item in enumerate(items):
        chosen = own.setdefault(item.speaker, [])
        if len(chosen) < UTTERANCES_PER_SPEAKER:
            chosen.append(number)
    result = {speaker: known[speaker] for speaker in own if speaker in known}
    for speaker in own.keys() - known.keys():
        path = folder / f"whole-voice-{digest(speaker, *(keys[i] for i in own[speaker]))}.npy"
        if not path.is_file():
            voice = KnownVoice()
            voice.add((embed or hear_voices)([waveform(items[i]) for i in own[speaker]]))
            folder.mkdir(parents=True, exist_ok=True)
            partial = path.with_name(f".{path.name}.{os.getpid()}.npy")
            np.save(partial, voice.vector)
            os.replace(partial, path)
        result[speaker] = np.load(path, allow_pickle=False)
    return result
