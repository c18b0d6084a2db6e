"""RAVDESS speech (Livingstone and Russo 2018): 24 actors, acted English, labels in the file names. CC BY-NC-SA 4.0."""

from collections.abc import Iterator
from pathlib import Path

from ml.corpora.importer import importer
from ml.corpora.types import CorpusBroken, CorpusMissing, LabelledUtterance, LabelUnknown, Skipped, shown

#: Third field of a file name: (the corpus's word, canonical class). "Calm" joins neutral, since both were recorded as
#: baselines without an emotion; `source_label` keeps them apart.
LABELS = {
    "01": ("neutral", "neutral"),
    "02": ("calm", "neutral"),
    "03": ("happy", "happy"),
    "04": ("sad", "sad"),
    "05": ("angry", "angry"),
    "06": ("fearful", "fear"),
    "07": ("disgust", "disgust"),
    "08": ("surprised", "surprise"),
}
SENTENCES = {"01": "Kids are talking by the door", "02": "Dogs are sitting by the door"}


@importer("ravdess", about="acted English, 24 actors, 7 classes (calm is neutral)", licence="CC BY-NC-SA 4.0")
def ravdess(folder: Path, skipped: Skipped) -> Iterator[LabelledUtterance]:
    """Every speech file below `folder` (`Actor_NN/03-01-EE-…-AA.wav|flac`), in order of path."""
    found = False
    for path in sorted(folder.rglob("0[123]-0[12]-*")):
        fields = path.stem.split("-")
        if fields[1] != "01" or path.suffix.lower() not in {".wav", ".flac"}:
            skipped.add("song, or with a picture", path)
            continue
        if len(fields) != 7 or not all(field.isdecimal() and len(field) == 2 for field in fields):
            raise CorpusBroken.at(path, None, "its name is not seven numbers of two digits")
        if fields[2] not in LABELS:
            raise LabelUnknown.at(path, None, f"{shown(fields[2])} is none of the emotions 01 to 08")
        found = True
        source, label = LABELS[fields[2]]
        actor = fields[6]
        yield LabelledUtterance(
            corpus="ravdess",
            item_id=path.stem,
            speaker=f"ravdess-{actor}",
            label=label,
            language="en",
            audio_path=path,
            text=SENTENCES.get(fields[4]),
            gender="male" if int(actor) % 2 else "female",
            style="acted",
            source_label=source,
        )
    if not found:
        raise CorpusMissing(f"{folder} holds no RAVDESS speech file")
