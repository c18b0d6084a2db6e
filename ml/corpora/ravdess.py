"""RAVDESS speech (Livingstone and Russo 2018): 24 actors, acted English, labels in the file names. CC BY-NC-SA 4.0."""

from collections.abc import Iterator
from pathlib import Path

from ml.corpora.types import CorpusMissing, LabelledUtterance

#: Third field of a file name. "Calm" joins neutral: both were recorded as baselines.
LABELS = {
    "01": "neutral",
    "02": "neutral",
    "03": "happy",
    "04": "sad",
    "05": "angry",
    "06": "fear",
    "07": "disgust",
    "08": "surprise",
}
SENTENCES = {"01": "Kids are talking by the door", "02": "Dogs are sitting by the door"}


def ravdess(folder: Path) -> Iterator[LabelledUtterance]:
    """Every speech file below `folder` (`Actor_NN/03-01-EE-…-AA.wav|flac`), in order of path."""
    found = False
    for path in sorted(folder.rglob("03-01-*")):
        fields = path.stem.split("-")
        if len(fields) != 7 or fields[2] not in LABELS or path.suffix.lower() not in {".wav", ".flac"}:
            continue
        found = True
        yield LabelledUtterance(
            corpus="ravdess",
            item_id=path.stem,
            speaker=f"ravdess-{fields[6]}",
            label=LABELS[fields[2]],
            language="en",
            audio_path=path,
            text=SENTENCES.get(fields[4]),
        )
    if not found:
        raise CorpusMissing(f"{folder} holds no RAVDESS speech file")
