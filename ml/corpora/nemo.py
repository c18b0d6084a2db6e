"""nEMO (Christop 2024): acted Polish by nine speakers. CC BY-NC-SA 4.0."""

import csv
from collections.abc import Iterator
from pathlib import Path

from ml.corpora.types import CorpusMissing, LabelledUtterance

LABELS = {
    "anger": "angry",
    "fear": "fear",
    "happiness": "happy",
    "neutral": "neutral",
    "sadness": "sad",
    "surprised": "surprise",
}


def nemo(folder: Path) -> Iterator[LabelledUtterance]:
    """Every row of `data.tsv` whose audio is in `samples/`, in the table's order."""
    table = folder / "data.tsv"
    if not table.is_file():
        raise CorpusMissing(f"{folder} holds no data.tsv")
    with table.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines, delimiter="\t"):
            name = Path(row["file_id"])
            path = next(
                (p for p in (folder / "samples" / name.with_suffix(s) for s in (".ogg", ".wav")) if p.is_file()),
                None,
            )
            if path is None:
                continue
            yield LabelledUtterance(
                corpus="nemo",
                item_id=name.stem,
                speaker=f"nemo-{row['speaker_id']}",
                label=LABELS[row["emotion"]],
                language="pl",
                audio_path=path,
                text=row["raw_text"],
            )
