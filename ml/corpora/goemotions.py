"""GoEmotions (Demszky et al. 2020) in its Ekman grouping: English comments, several labels possible. Apache-2.0."""

from collections.abc import Iterator
from pathlib import Path

from ml.corpora.types import CorpusMissing, LabelledUtterance

LABELS = {
    "anger": "angry",
    "disgust": "disgust",
    "fear": "fear",
    "joy": "happy",
    "sadness": "sad",
    "surprise": "surprise",
    "neutral": "neutral",
}


def goemotions(folder: Path) -> Iterator[LabelledUtterance]:
    """Comments with exactly one label of `ekman_train.tsv` and `ekman_dev.tsv` (`split` is "train" or "dev")."""
    names_file = folder / "ekman_labels.txt"
    if not names_file.is_file():
        raise CorpusMissing(f"{folder} holds no ekman_labels.txt")
    names = names_file.read_text(encoding="utf-8").split()
    for split in ("train", "dev"):
        for line in (folder / f"ekman_{split}.tsv").read_text(encoding="utf-8").splitlines():
            text, ids, item_id = line.split("\t")
            if "," in ids:
                continue
            yield LabelledUtterance(
                corpus="goemotions",
                item_id=item_id,
                speaker=f"goemotions-{item_id}",
                label=LABELS[names[int(ids)]],
                language="en",
                text=text,
                split=split,
            )
