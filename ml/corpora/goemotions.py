"""GoEmotions (Demszky et al. 2020) in its Ekman grouping: English comments, several labels possible. Apache-2.0."""

from collections.abc import Iterator
from pathlib import Path

from ml.corpora.importer import importer
from ml.corpora.types import CorpusBroken, CorpusMissing, LabelledUtterance, LabelUnknown, Skipped, shown

LABELS = {
    "anger": "angry",
    "disgust": "disgust",
    "fear": "fear",
    "joy": "happy",
    "sadness": "sad",
    "surprise": "surprise",
    "neutral": "neutral",
}
#: A test file is read when it is there.
SPLITS = ("train", "dev", "test")


@importer("goemotions", about="English comments, 7 classes (Ekman), text only", licence="Apache-2.0")
def goemotions(folder: Path, skipped: Skipped) -> Iterator[LabelledUtterance]:
    """Comments with exactly one label of `ekman_train.tsv`, `ekman_dev.tsv` and `ekman_test.tsv`."""
    names = _names(folder)
    for split in SPLITS:
        path = folder / f"ekman_{split}.tsv"
        if not path.is_file():
            if split == "test":
                continue
            raise CorpusMissing(f"{folder} holds no {path.name}")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            fields = line.split("\t")
            if len(fields) != 3:
                raise CorpusBroken.at(path, number, "it is not `text<TAB>label ids<TAB>id`")
            text, ids, item_id = fields
            if "," in ids:
                skipped.add("several labels", item_id)
                continue
            if not ids.isdecimal() or int(ids) >= len(names):
                raise LabelUnknown.at(path, number, f"{shown(ids)} is no line of ekman_labels.txt")
            yield LabelledUtterance(
                corpus="goemotions",
                item_id=item_id,
                speaker=f"goemotions-{item_id}",
                label=LABELS[names[int(ids)]],
                language="en",
                text=text,
                split=split,
                style="written",
                source_label=names[int(ids)],
            )


def _names(folder: Path) -> list[str]:
    path = folder / "ekman_labels.txt"
    if not path.is_file():
        raise CorpusMissing(f"{folder} holds no ekman_labels.txt")
    names = path.read_text(encoding="utf-8").split()
    for number, name in enumerate(names, start=1):
        if name not in LABELS:
            raise LabelUnknown.at(path, number, f"{shown(name)} is none of the Ekman grouping")
    return names
