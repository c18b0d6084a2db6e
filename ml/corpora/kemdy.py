"""What KEMDy19 and KEMDy20 share: tables of ratings with two lines of header, and transcripts with marks.

The first header line names groups of columns (the cells after a name are empty), the second what each column is:

    Numb,Wav,,…,Segment ID,Total Evaluation,,,Eval01F,,,Eval02M,,,…
    ,start,end,…,,Emotion,Valence,Arousal,Emotion,Valence,Arousal,Emotion,Valence,Arousal,…

Ten raters chose one of seven emotions and gave arousal and valence from 1 to 5, which are taken as they are (the means
under Total Evaluation). Where two emotions have the most votes, both stand there (`neutral;happy`).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ml.corpora.reading import rows, text_of
from ml.corpora.types import AFFECT_RANGE, CorpusBroken, LabelledUtterance, LabelUnknown, Skipped, shown
from ml.corpora.votes import shares

LABELS = {
    "angry": "angry",
    "anger": "angry",
    "happy": "happy",
    "happiness": "happy",
    "neutral": "neutral",
    "sad": "sad",
    "sadness": "sad",
    "fear": "fear",
    "disgust": "disgust",
    # As it stands in the published tables.
    "disqust": "disgust",
    "surprise": "surprise",
}
#: The older transcripts are in the Korean encoding, some tables too.
ENCODINGS = ("utf-8-sig", "cp949")
LICENCE = "ETRI Nanum agreement (research)"
_RATER = re.compile(r"Eval\d+")
#: Marks of the transcribers: laughter, breath, noise, overlap (a letter and a slash), stammering, fillers, doubt.
_MARKS = re.compile(r"(?<!\w)[A-Za-z]/|[/*+]")


@dataclass(frozen=True, slots=True)
class Rating:
    """One line of a table; `number` gives the order within a session, in both tables of it."""

    number: int
    segment: str
    #: None where emotions share the most votes.
    label: str | None
    source_label: str
    valence: float | None
    arousal: float | None
    distribution: tuple[float, ...] | None

    @property
    def is_empty(self) -> bool:
        """True when nobody rated the segment."""
        return not self.source_label and self.distribution is None and self.valence is None and self.arousal is None


@dataclass(frozen=True, slots=True)
class Segment:
    """What the name of a segment says, and where its recording is."""

    speaker: str
    sex: str
    dialogue: str
    session: str
    style: str
    audio: Path


def labelled(corpus: str, rating: Rating, segment: Segment, table: Path, skipped: Skipped) -> LabelledUtterance | None:
    """The utterance that was rated; None, and counted, when nobody rated it or it has no audio."""
    if rating.is_empty:
        skipped.add("nobody rated it", f"{table.name} {rating.segment}")
        return None
    if not segment.audio.is_file():
        skipped.add("no audio", segment.audio)
        return None
    return LabelledUtterance(
        corpus=corpus,
        item_id=rating.segment,
        speaker=f"{corpus}-{segment.speaker}",
        label=rating.label,
        language="ko",
        audio_path=segment.audio,
        text=said(segment.audio),
        distribution=rating.distribution,
        arousal=rating.arousal,
        valence=rating.valence,
        dialogue=f"{corpus}-{segment.dialogue}",
        session=f"{corpus}-Sess{segment.session}",
        gender="female" if segment.sex == "F" else "male",
        style=segment.style,
        source_label=rating.source_label,
    )


def ratings(path: Path) -> Iterator[Rating]:
    """The lines of a table of ratings; raises `CorpusBroken` or `LabelUnknown` with the line."""
    content = rows(path, encodings=ENCODINGS)
    _, header = next(content, (1, []))
    names = [name.strip() for name in header]
    missing = [name for name in ("Numb", "Segment ID", "Total Evaluation") if name not in names]
    if missing:
        raise CorpusBroken.at(path, 1, f"there is no column {', '.join(missing)}")
    segment, total = names.index("Segment ID"), names.index("Total Evaluation")
    raters = [place for place, name in enumerate(names) if _RATER.match(name)]
    next(content, None)
    for line, fields in content:
        if not any(fields):
            continue
        if len(fields) < max([total + 3, *(place + 1 for place in raters)]):
            raise CorpusBroken.at(path, line, f"it has {len(fields)} fields, too few for its header")
        votes = [_labels(path, line, fields[place]) for place in raters]
        agreed = _labels(path, line, fields[total])
        yield Rating(
            number=int(_number(path, line, fields[names.index("Numb")]) or line),
            segment=fields[segment].strip(),
            label=agreed[0] if len(agreed) == 1 else None,
            source_label=fields[total].strip(),
            valence=_points(path, line, fields[total + 1]),
            arousal=_points(path, line, fields[total + 2]),
            distribution=shares(votes),
        )


def said(audio: Path) -> str | None:
    """The transcript beside a recording, without the transcribers' marks; None when there is none."""
    path = audio.with_suffix(".txt")
    if not path.is_file():
        return None
    return " ".join(_MARKS.sub(" ", text_of(path, ENCODINGS)).split()) or None


def _labels(path: Path, line: int, field: str) -> list[str]:
    words = [word.strip().lower() for word in field.split(";") if word.strip()]
    unknown = next((word for word in words if word not in LABELS), None)
    if unknown is not None:
        raise LabelUnknown.at(path, line, f"{shown(unknown)} is none of KEMDy's emotions")
    return [LABELS[word] for word in words]


def _points(path: Path, line: int, field: str) -> float | None:
    value = _number(path, line, field)
    if value is not None and not AFFECT_RANGE[0] <= value <= AFFECT_RANGE[1]:
        raise CorpusBroken.at(path, line, "valence or arousal is not from 1 to 5")
    return value


def _number(path: Path, line: int, field: str) -> float | None:
    try:
        return float(field) if field.strip() else None
    except ValueError:
        raise CorpusBroken.at(path, line, "there is no number where one belongs") from None
