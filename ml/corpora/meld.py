"""MELD (Poria et al. 2019): utterances of television dialogues with speaker and emotion. GPL-3.0.

Published layout (`MELD.Raw`); the text alone is enough:

    train_sent_emo.csv · dev_sent_emo.csv · test_sent_emo.csv
    train_splits/dia0_utt0.mp4 · dev_splits_complete/… · output_repeated_splits_test/…
"""

from collections.abc import Iterator
from pathlib import Path

from ml.corpora.goemotions import LABELS
from ml.corpora.importer import importer
from ml.corpora.reading import table
from ml.corpora.types import CorpusMissing, LabelledUtterance, LabelUnknown, Skipped, shown

COLUMNS = ("Utterance", "Speaker", "Emotion", "Dialogue_ID", "Utterance_ID")
#: Split → folder of its clips.
SPLITS = {"train": "train_splits", "dev": "dev_splits_complete", "test": "output_repeated_splits_test"}
#: Clips may have been turned into sound.
_SUFFIXES = (".wav", ".flac", ".mp4")


@importer("meld", about="English television dialogues, 7 classes, text (and clips where they are)", licence="GPL-3.0")
def meld(folder: Path, skipped: Skipped) -> Iterator[LabelledUtterance]:
    """Every utterance of the three tables, or of those that are there; or of one table, given as the path.

    Nothing is skipped: an utterance without its clip is text.
    """
    for split, path in _tables(folder):
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
                audio_path=_clip(path.parent, split, row),
                text=row["Utterance"],
                split=split,
                dialogue=f"meld-{dialogue}",
                style="scripted",
                source_label=row["Emotion"],
            )


def _tables(path: Path) -> list[tuple[str | None, Path]]:
    if path.is_file():
        split = path.name.removesuffix("_sent_emo.csv")
        return [(split if split in SPLITS else None, path)]
    found: list[tuple[str | None, Path]] = [
        (split, table) for split in SPLITS if (table := path / f"{split}_sent_emo.csv").is_file()
    ]
    if not found:
        raise CorpusMissing(f"{path} holds no train_sent_emo.csv, dev_sent_emo.csv or test_sent_emo.csv")
    return found


def _clip(folder: Path, split: str | None, row: dict[str, str]) -> Path | None:
    if split is None:
        return None
    stem = folder / SPLITS[split] / f"dia{row['Dialogue_ID']}_utt{row['Utterance_ID']}"
    return next((file for suffix in _SUFFIXES if (file := stem.with_suffix(suffix)).is_file()), None)
