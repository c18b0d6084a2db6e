"""Voice embeddings that are made once for all runs: they cost more than everything else that a small run does."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Wave = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class KeptVoices:
    """Embeds waveforms as the pipeline does; what lies in `folder`, by content, is not embedded again."""

    folder: Path

    def __call__(self, waves: Sequence[Wave]) -> list[Wave | None]:
        """One embedding [256] per waveform [n] at 16 kHz, None where it is too short or silent."""
        from ml.alignment.speakers import embed_utterances

        paths = [self.folder / f"{hashlib.sha256(wave.tobytes()).hexdigest()[:32]}.npy" for wave in waves]
        new = [number for number, path in enumerate(paths) if not path.is_file()]
        self.folder.mkdir(parents=True, exist_ok=True)
        for number, made in zip(new, embed_utterances([waves[number] for number in new]), strict=True):
            partial = paths[number].with_name(f".{os.getpid()}.npy")
            np.save(partial, np.zeros(0, np.float32) if made is None else made)
            os.replace(partial, paths[number])
        found = [np.load(path) for path in paths]
        return [own if len(own) else None for own in found]
