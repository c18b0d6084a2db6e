"""A corpus of hostile recordings and transcripts: `python -m tests.hostile.corpus FOLDER` writes it.

Every entry says what has to become of it: an error code, `done`, or `done:code` for a recording that is analysed
although something about it (its transcript) is not as it should be.
"""

import os
import sys
from pathlib import Path

import numpy as np

from ml.audio.decode import SAMPLE_RATE, decode
from tests.acceptance.house import SAMPLES
from tests.hostile import damaged, forms, places, texts  # noqa: F401 - they register their entries
from tests.hostile.entries import ENTRIES, Samples

#: Names that must not even be listed as recordings.
UNSEEN = ("folder.wav", "loop/loop.wav")


def voice(seconds: float = 3.0) -> Samples:
    """Speech [n] at 16 kHz, from the project's own sample calls."""
    audio = decode(SAMPLES / "billing-complaint.ogg")
    return np.ascontiguousarray(audio[1, round(4.5 * SAMPLE_RATE) : round((4.5 + seconds) * SAMPLE_RATE)])


def write_corpus(folder: Path) -> dict[str, tuple[str, ...]]:
    """Write every file below a new folder; returns what has to become of each, by path as the database keeps it."""
    from workers.archives.files import storable_path

    folder.mkdir(parents=True)
    base = voice()
    expected = {}
    for number, item in enumerate(ENTRIES):
        name = os.fsdecode(item.name)
        path = folder / name
        # Equal content would be one recording with one outcome.
        samples = (base * np.float32(1 - 0.003 * number)).astype(np.float32)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            item.make(path, samples)
        except OSError:
            if not item.optional:
                raise
            continue
        if name not in UNSEEN:
            expected[storable_path(name)] = item.outcomes
    return expected


if __name__ == "__main__":
    for name, outcomes in write_corpus(Path(sys.argv[1])).items():
        print(f"{name!a:60} {' or '.join(outcomes)}")
