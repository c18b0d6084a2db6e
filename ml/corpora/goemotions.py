"""GoEmotions (Demszky et al. 2020): English comments, several labels possible. Apache-2.0.

Published layout: `train.tsv`, `dev.tsv`, `test.tsv` of `text<TAB>label ids<TAB>id`, and `emotions.txt` with a name per
line, by id, of 28 emotions. The same in the authors' grouping after Ekman has `ekman_train.tsv` and so on, and
`ekman_labels.txt`. Both give the same items.
"""

from collections.abc import Iterator
from pathlib import Path

from ml.corpora.importer import importer
from ml.corpora.reading import text_of
from ml.corpora.types import CorpusBroken, CorpusMissing, LabelledUtterance, LabelUnknown, Skipped, shown

#: Ekman's emotions as the authors and MELD name them.
LABELS = {
    "anger": "angry",
    "disgust": "disgust",
    "fear": "fear",
    "joy": "happy",
    "sadness": "sad",
    "surprise": "surprise",
    "neutral": "neutral",
}
#: The authors' grouping of the others (`ekman_mapping.json`).
_GROUPS = {
    "anger": ("annoyance", "disapproval"),
    "fear": ("nervousness",),
    "joy": ("admiration", "amusement", "approval", "caring", "desire", "excitement", "gratitude", "love", "optimism",
            "pride", "relief"),
    "sadness": ("disappointment", "embarrassment", "grief", "remorse"),
    "surprise": ("confusion", "curiosity", "realization"),
}  # fmt: skip
_CLASSES = LABELS | {name: LABELS[group] for group, names in _GROUPS.items() for name in names}
#: A test file is read when it is there.
SPLITS = ("train", "dev", "test")


@importer("goemotions", about="English comments, 7 classes (Ekman's), text", licence="Apache-2.0")
def goemotions(folder: Path, skipped: Skipped) -> Iterator[LabelledUtterance]:
    """Comments whose labels are of one class."""
    prefix, names = _names(folder)
    for split in SPLITS:
        path = folder / f"{prefix}{split}.tsv"
        if not path.is_file() and split == "test":
            continue
        for number, line in enumerate(text_of(path).rstrip("\n").split("\n"), start=1):
            fields = line.rstrip("\r").split("\t")
            if len(fields) != 3:
                raise CorpusBroken.at(path, number, "it is not `text<TAB>label ids<TAB>id`")
            text, ids, item_id = fields
            words = [_name(path, number, names, label) for label in ids.split(",")]
            classes = {_CLASSES[word] for word in words}
            if len(classes) > 1:
                skipped.add("labels of several classes", item_id)
                continue
            yield LabelledUtterance(
                corpus="goemotions",
                item_id=item_id,
                speaker=f"goemotions-{item_id}",
                label=classes.pop(),
                language="en",
                text=text,
                split=split,
                style="written",
                source_label=";".join(words),
            )


def _name(path: Path, number: int, names: list[str], label: str) -> str:
    if not label.isdecimal() or int(label) >= len(names):
        raise LabelUnknown.at(path, number, f"{shown(label)} is the number of no label")
    return names[int(label)]


def _names(folder: Path) -> tuple[str, list[str]]:
    """(how names of files begin, emotions by id)."""
    for prefix, path in (("ekman_", folder / "ekman_labels.txt"), ("", folder / "emotions.txt")):
        if not path.is_file():
            continue
        names = text_of(path).split()
        for number, name in enumerate(names, start=1):
            if name not in _CLASSES:
                raise LabelUnknown.at(path, number, f"{shown(name)} is none of GoEmotions' emotions")
        return prefix, names
    raise CorpusMissing(f"{folder} holds neither emotions.txt nor ekman_labels.txt")
