"""Voice embeddings of a corpus, made once before training: `python -m ml.corpora.voices --ravdess … --out voices.npz`.

Kept apart from the trainer, which needs neither Resemblyzer nor librosa.
"""

import argparse
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import soundfile

from ml.alignment.speakers import embed_utterances
from ml.corpora.nemo import nemo
from ml.corpora.ravdess import ravdess
from ml.corpora.types import LabelledUtterance


def write_voices(items: Iterable[LabelledUtterance], out: Path) -> int:
    """Write {item_id: embedding [256]} of every item that has a voice; returns how many."""
    voices: dict[str, np.ndarray] = {}
    pending: list[tuple[str, np.ndarray]] = []

    def flush() -> None:
        for (name, _), embedding in zip(pending, embed_utterances([w for _, w in pending]), strict=True):
            if embedding is not None:
                voices[name] = embedding
        pending.clear()

    for item in items:
        assert item.audio_path is not None
        pending.append((item.item_id, soundfile.read(item.audio_path, dtype="float32")[0]))
        if len(pending) == 64:
            flush()
    flush()
    np.savez(out, **voices)  # type: ignore[arg-type]
    return len(voices)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ravdess", type=Path, required=True)
    parser.add_argument("--nemo", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    print(write_voices([*ravdess(options.ravdess), *nemo(options.nemo)], options.out), "voices")
