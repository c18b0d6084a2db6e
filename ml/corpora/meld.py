"""MELD (Poria et al. 2019): utterances of television dialogues with speaker and emotion. GPL-3.0."""

import csv
from collections.abc import Iterator
from pathlib import Path

from ml.corpora.goemotions import LABELS
from ml.corpora.types import CorpusMissing, LabelledUtterance


def meld(folder: Path) -> Iterator[LabelledUtterance]:
    """Every utterance of `train_sent_emo.csv` and `dev_sent_emo.csv` (`split` is "train" or "dev")."""
    for split in ("train", "dev"):
        path = folder / f"{split}_sent_emo.csv"
        if not path.is_file():
            raise CorpusMissing(f"{folder} holds no {path.name}")
        with path.open(encoding="utf-8", newline="") as lines:
            for row in csv.DictReader(lines):
                yield LabelledUtterance(
                    corpus="meld",
                    item_id=f"{split}-{row['Dialogue_ID']}-{row['Utterance_ID']}",
                    speaker=f"meld-{row['Speaker']}",
                    label=LABELS[row["Emotion"]],
                    language="en",
                    text=row["Utterance"],
                    split=split,
                )
