"""MELD (Poria et al. 2019): utterances of television dialogues with speaker and emotion. GPL-3.0."""

from collections.abc import Iterator
from pathlib import Path

from ml.corpora.goemotions import LABELS
from ml.corpora.importer import importer
from ml.corpora.reading import table
from ml.corpora.types import CorpusMissing, LabelledUtterance, LabelUnknown, Skipped, shown

COLUMNS = ("Utterance", "Speaker", "Emotion", "Dialogue_ID", "Utterance_ID")
SPLITS = ("train", "dev", "test")


@importer("meld", about="English television dialogues, 7 classes, text", licence="GPL-3.0")
def meld(folder: Path, skipped: Skipped) -> Iterator[LabelledUtterance]:
    """Every utterance of `train_`, `dev_` and `test_sent_emo.csv`; or of one of them, given as the path."""
    for split, path in _files(folder):
        for number, row in table(path, COLUMNS):
            if row["Emotion"] not in LABELS:
                raise LabelUnknown.at(path, number, f"{shown(row['Emotion'])} is none of MELD's emotions")
            dialogue = f"{split or path.stem}-{row['Dialogue_ID']}"
            yield LabelledUtterance(
                corpus="meld",
                item_id=f"{dialogue}-{row['Utterance_ID']}",
                speaker=f"meld-{row['Speaker']}",
                label=LABELS[row["Emotion"]],
                language="en",
                text=row["Utterance"],
                split=split or None,
                dialogue=f"meld-{dialogue}",
                style="scripted",
                source_label=row["Emotion"],
            )


def _files(path: Path) -> list[tuple[str, Path]]:
    folder = path.parent if path.is_file() else path
    files = [(split, folder / f"{split}_sent_emo.csv") for split in SPLITS]
    if path.is_file():
        files = [(split, file) for split, file in files if file == path] or [("", path)]
    found = [(split, file) for split, file in files if file.is_file()]
    if not found:
        raise CorpusMissing(f"{path} holds no train_sent_emo.csv, dev_sent_emo.csv or test_sent_emo.csv")
    return found
