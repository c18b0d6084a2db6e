"""What every corpus reader yields."""

from dataclasses import dataclass
from pathlib import Path

from ml.errors import TenorError


@dataclass(frozen=True, slots=True)
class LabelledUtterance:
    """One utterance with one canonical label (`ml.emotions.EMOTIONS`).

    `speaker` is unique across corpora, since splits are always by speaker. `split` is the corpus's own, if it has one.
    """

    corpus: str
    item_id: str
    speaker: str
    label: str
    language: str
    audio_path: Path | None = None
    text: str | None = None
    split: str | None = None


class CorpusMissing(TenorError):
    """The folder is not the corpus it was said to be."""

    code = "corpus_missing"
    hint = "Give the folder that the corpus was unpacked into."
