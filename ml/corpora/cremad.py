"""CREMA-D (Cao et al. 2014): twelve sentences in English by 91 actors, rated by 2443 people. ODbL 1.0.

Published layout:

    AudioWAV/1001_DFA_ANG_XX.wav                   actor, sentence, intended emotion, intended level
    processedResults/tabulatedVotes.csv            votes; the number before a line begins with 1 for the voice alone
    VideoDemographics.csv                          who the actors are
"""

import re
from collections.abc import Iterator
from pathlib import Path

from ml.corpora.importer import importer
from ml.corpora.reading import rows, table
from ml.corpora.types import CorpusBroken, CorpusMissing, LabelledUtterance, LabelUnknown, Skipped, shown
from ml.corpora.votes import normalised

#: Third field of a file name.
LABELS = {
    "ANG": "angry",
    "DIS": "disgust",
    "FEA": "fear",
    "HAP": "happy",
    "NEU": "neutral",
    "SAD": "sad",
}
#: Columns of the table of votes.
VOTES = {label[0]: emotion for label, emotion in LABELS.items()}
SENTENCES = {
    "IEO": "It's eleven o'clock.",
    "TIE": "That is exactly what happened.",
    "IOM": "I'm on my way to the meeting.",
    "IWW": "I wonder what this is about.",
    "TAI": "The airplane is almost full.",
    "MTI": "Maybe tomorrow it will be cold.",
    "IWL": "I would like a new alarm clock.",
    "ITH": "I think I have a doctor's appointment.",
    "DFA": "Don't forget a jacket.",
    "ITS": "I think I've seen this before.",
    "TSI": "The surface is slick.",
    "WSI": "We'll stop in a couple of minutes.",
}
_NAME = re.compile(r"(\d{4})_([A-Z]{3})_([A-Z]{3})_([A-Z]{2})")
#: What lies there instead of audio when the repository was fetched without Git LFS.
_POINTER = b"version https://git-lfs"


@importer("cremad", about="acted English, 91 actors, 6 classes (no surprise), votes by voice", licence="ODbL-1.0")
def cremad(folder: Path, skipped: Skipped) -> Iterator[LabelledUtterance]:
    """Every file of `AudioWAV/`, in order of name.

    `label` is the emotion that was intended; `distribution` what people heard who had the voice alone.
    """
    paths = sorted((folder / "AudioWAV").glob("*.wav"))
    if not paths:
        raise CorpusMissing(f"{folder} holds no AudioWAV/1001_DFA_ANG_XX.wav")
    votes, genders = _votes(folder), _genders(folder)
    for path in paths:
        match = _NAME.fullmatch(path.stem)
        if match is None:
            raise CorpusBroken.at(path, None, "its name is not actor, sentence, emotion, level (1001_DFA_ANG_XX)")
        actor, sentence, emotion, _ = match.groups()
        if emotion not in LABELS:
            raise LabelUnknown.at(path, None, f"{shown(emotion)} is none of CREMA-D's emotions")
        if path.stat().st_size < 1024 and path.read_bytes().startswith(_POINTER):
            skipped.add("no audio, only its Git LFS pointer", path)
            continue
        yield LabelledUtterance(
            corpus="cremad",
            item_id=path.stem,
            speaker=f"cremad-{actor}",
            label=LABELS[emotion],
            language="en",
            audio_path=path,
            text=SENTENCES.get(sentence),
            distribution=votes.get(path.stem),
            gender=genders.get(actor),
            style="acted",
            source_label=emotion,
        )


def _votes(folder: Path) -> dict[str, tuple[float, ...] | None]:
    """{clip: shares [7] of the votes by voice alone}; empty without the table."""
    path = folder / "processedResults" / "tabulatedVotes.csv"
    if not path.is_file():
        return {}
    content = rows(path)
    _, header = next(content, (1, []))
    missing = [name for name in (*VOTES, "fileName") if name not in header]
    if missing:
        raise CorpusBroken.at(path, 1, f"there is no column {', '.join(missing)}")
    found = {}
    for line, fields in content:
        # 100000 × (1 voice, 2 face, 3 both) + clip.
        if not fields[0].startswith("1"):
            continue
        try:
            counts = {VOTES[letter]: float(fields[header.index(letter)]) for letter in VOTES}
            found[fields[header.index("fileName")]] = normalised(counts)
        except (ValueError, IndexError):
            raise CorpusBroken.at(path, line, "there are no counts where they belong") from None
    return found


def _genders(folder: Path) -> dict[str, str]:
    path = folder / "VideoDemographics.csv"
    if not path.is_file():
        return {}
    return {row["ActorID"]: row["Sex"].strip().lower() for _, row in table(path, ("ActorID", "Sex"))}
