"""What utterances say of voices, made once for all runs: it costs more than everything else that a small run does."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml.alignment.voice import HeardVoice, Wave, hear_voices

_NOTHING = np.zeros(0, np.float32)


@dataclass(frozen=True, slots=True)
class KeptVoices:
    """Hears waveforms as the pipeline does; what lies in `folder`, by content, is not heard again."""

    folder: Path

    def __call__(self, waves: Sequence[Wave]) -> list[HeardVoice]:
        """What each waveform [n] at 16 kHz says of its speaker's voice."""
        paths = [self.folder / f"{hashlib.sha256(wave.tobytes()).hexdigest()[:32]}.npz" for wave in waves]
        new = [number for number, path in enumerate(paths) if not path.is_file()]
        self.folder.mkdir(parents=True, exist_ok=True)
        for number, made in zip(new, hear_voices([waves[number] for number in new]), strict=True):
            partial = paths[number].with_name(f".{os.getpid()}.npz")
            embedding, sound = (_NOTHING if own is None else own for own in made)
            np.savez(partial, embedding=embedding, sound=sound)
            os.replace(partial, paths[number])
        return [_read(path) for path in paths]


def _read(path: Path) -> HeardVoice:
    def known(values: NDArray[np.float32]) -> NDArray[np.float32] | None:
        return values if len(values) else None

    with np.load(path, allow_pickle=False) as stored:
        return HeardVoice(known(stored["embedding"]), known(stored["sound"]))
