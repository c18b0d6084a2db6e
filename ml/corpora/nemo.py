"""nEMO (Christop 2024): acted Polish by nine speakers. CC BY-NC-SA 4.0."""

from collections.abc import Iterator
from pathlib import Path

from ml.corpora.importer import importer
from ml.corpora.reading import table
from ml.corpora.types import LabelledUtterance, LabelUnknown, Skipped, shown

LABELS = {
    "anger": "angry",
    "fear": "fear",
    "happiness": "happy",
    "neutral": "neutral",
    "sadness": "sad",
    "surprised": "surprise",
}


@importer("nemo", about="acted Polish, 9 speakers, 6 classes (no disgust)", licence="CC BY-NC-SA 4.0")
def nemo(folder: Path, skipped: Skipped) -> Iterator[LabelledUtterance]:
    """Every row of `data.tsv` whose audio is in `samples/`, in the table's order."""
    path = folder / "data.tsv"
    for number, row in table(path, ("file_id", "emotion", "raw_text", "speaker_id"), delimiter="\t"):
        name = Path(row["file_id"])
        # Published as WAV; the name in the table stays when it was packed as Opus.
        kept = (folder / "samples" / name.with_suffix(suffix) for suffix in (".ogg", ".wav", ".flac"))
        audio = next((candidate for candidate in kept if candidate.is_file()), None)
        if audio is None:
            skipped.add("no audio", folder / "samples" / name)
            continue
        if row["emotion"] not in LABELS:
            raise LabelUnknown.at(path, number, f"{shown(row['emotion'])} is none of nEMO's emotions")
        yield LabelledUtterance(
            corpus="nemo",
            item_id=name.stem,
            speaker=f"nemo-{row['speaker_id']}",
            label=LABELS[row["emotion"]],
            language="pl",
            audio_path=audio,
            text=row["raw_text"],
            gender=row.get("gender") or None,
            style="acted",
            source_label=row["emotion"],
        )
