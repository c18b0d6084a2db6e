"""Voice embeddings of a corpus, made once before training: `python -m ml.corpora.voices --ravdess … --out voices.npz`.

Kept apart from the trainer, which needs neither Resemblyzer nor librosa.
"""

import argparse
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from ml.alignment.speakers import embed_utterances
from ml.corpora.nemo import nemo
from ml.corpora.ravdess import ravdess
from ml.corpora.types import LabelledUtterance
from ml.training.speech_data import unlabelled

Named = tuple[str, NDArray[np.float32]]


def labelled(items: Iterable[LabelledUtterance]) -> Iterator[Named]:
    """Id and samples of every item."""
    for item in items:
        assert item.audio_path is not None
        yield item.item_id, soundfile.read(item.audio_path, dtype="float32")[0]


def write_voices(recordings: Iterable[Named], out: Path) -> int:
    """Write {name: embedding [256]} of every recording that has a voice; returns how many."""
    voices: dict[str, NDArray[np.float32]] = {}
    pending: list[Named] = []

    def flush() -> None:
        for (name, _), embedding in zip(pending, embed_utterances([w for _, w in pending]), strict=True):
            if embedding is not None:
                voices[name] = embedding
        pending.clear()

    for recording in recordings:
        pending.append(recording)
        if len(pending) == 64:
            flush()
    flush()
    np.savez(out, **voices)  # type: ignore[arg-type]
    return len(voices)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ravdess", type=Path, required=True)
    parser.add_argument("--nemo", type=Path, required=True)
    parser.add_argument("--unlabelled", type=Path, help="a folder of more speech, a voice to a file")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    acted = labelled([*ravdess(options.ravdess), *nemo(options.nemo)])
    more = unlabelled(options.unlabelled) if options.unlabelled else ()
    print(write_voices([*acted, *more], options.out), "voices")
