"""What every importer of a labelled corpus yields, and what it says when it cannot."""

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from ml.emotions import EMOTIONS
from ml.errors import TenorError

#: Votes of a distribution may be stored with few digits.
_SUM_TOLERANCE = 1e-3
#: Affect is told on the five points of the self-assessment manikins, which IEMOCAP and KEMDy use.
AFFECT_RANGE = (1.0, 5.0)
#: Whose emotion a label is: of the one who speaks, or of the one who listens meanwhile (KEMDy19 has both).
SPEAKER, LISTENER = "speaker", "listener"
#: The annotator whose shares are what the text model says of an utterance that nobody has labelled.
TEXT_MODEL = "text model"


@dataclass(frozen=True, slots=True)
class LabelledUtterance:
    """One utterance and what was felt in it, as its corpus publishes it. Utterances of a dialogue come in its order.

    `label` is one of `ml.emotions.EMOTIONS`, None where nothing was agreed or what was agreed is none of these.
    `distribution` is the share of votes [7] in the order of `EMOTIONS`, among the votes for these classes.
    `arousal` and `valence` reach from 1 (calm, negative) to 5 (excited, positive); 3 is the middle.
    `speaker` is unique across corpora, since splits are by speaker; so are `session` (the group of people that a
    leave-one-session-out fold keeps together) and `dialogue`.
    `role` says whose emotion it is; `speaker` is who speaks in any case.
    `start_s` and `end_s` say which seconds of the audio it is; both None: all of it.
    Raises `ValueError` for values outside of these.
    """

    corpus: str
    item_id: str
    speaker: str
    label: str | None
    language: str
    audio_path: Path | None = None
    text: str | None = None
    #: The corpus's own "train", "dev" or "test".
    split: str | None = None
    start_s: float | None = None
    end_s: float | None = None
    distribution: tuple[float, ...] | None = None
    arousal: float | None = None
    valence: float | None = None
    dialogue: str | None = None
    session: str | None = None
    #: "female" or "male", as the corpus says.
    gender: str | None = None
    #: How it came about: "acted" (given sentences), "scripted", "improvised", "spontaneous", "written".
    style: str | None = None
    #: The corpus's own word for the label, before classes were merged: "calm", "excited".
    source_label: str | None = None
    #: Whose judgement it is, None: what the corpus publishes as agreed.
    annotator: str | None = None
    role: str = SPEAKER
    #: What it was recorded at: "telephone" (8 kHz and less) or "wideband".
    band: str | None = None
    #: Which part of the recording it is: "mono" (there is no other), "mixed" (all of them), "left", "channel 3".
    channel: str | None = None

    def __post_init__(self) -> None:
        if self.label is not None and self.label not in EMOTIONS:
            raise ValueError("the label is none of the canonical classes")
        if self.distribution is not None:
            wrong = len(self.distribution) != len(EMOTIONS) or not all(0 <= share <= 1 for share in self.distribution)
            if wrong or abs(sum(self.distribution) - 1) > _SUM_TOLERANCE:
                raise ValueError("the distribution is not a share of votes for each class")
        for value in (self.arousal, self.valence):
            if value is not None and not AFFECT_RANGE[0] <= value <= AFFECT_RANGE[1]:
                raise ValueError("arousal and valence must be from 1 to 5")
        if self.role not in (SPEAKER, LISTENER):
            raise ValueError("the role is neither the speaker's nor the listener's")
        if (self.start_s is None) != (self.end_s is None):
            raise ValueError("a start without an end, or an end without a start")
        if self.start_s is not None and self.end_s is not None and not 0 <= self.start_s < self.end_s < float("inf"):
            raise ValueError("its times are no stretch of the audio")

    @property
    def says_something(self) -> bool:
        """True when there is a label, votes, arousal or valence."""
        return any(value is not None for value in (self.label, self.distribution, self.arousal, self.valence))

    @property
    def class_no(self) -> int:
        """The label's place in `EMOTIONS`; raises `ValueError` for an utterance without one."""
        if self.label is None:
            raise ValueError(f"{self.corpus} {self.item_id} has no label; choose with `of_classes`")
        return EMOTIONS.index(self.label)


@dataclass(slots=True)
class Skipped:
    """How many items an importer left out, by reason, and where it met each reason first."""

    counts: Counter[str] = field(default_factory=Counter)
    first: dict[str, str] = field(default_factory=dict)

    def add(self, reason: str, where: Path | str) -> None:
        """Count one item."""
        self.counts[reason] += 1
        self.first.setdefault(reason, str(where))

    def __str__(self) -> str:
        return "; ".join(f"{count} left out: {why} (first {self.first[why]})" for why, count in self.counts.items())


class CorpusError(TenorError):
    """A corpus cannot be read as it lies."""

    code = "corpus_error"


class CorpusUnknown(CorpusError):
    """No importer has this name."""

    code = "corpus_unknown"


class CorpusMissing(CorpusError):
    """The folder is not the corpus it was said to be."""

    code = "corpus_missing"
    hint = "Give the folder that the corpus was unpacked into."


class CorpusBroken(CorpusError):
    """A line of a corpus is not as its publishers describe it."""

    code = "corpus_broken"
    hint = "Unpack the corpus again, or mend that line."

    @classmethod
    def at(cls, path: Path, line: int | None, what: str, *, hint: str | None = None) -> "CorpusBroken":
        """The error that names file and line (counted from 1)."""
        return cls(f"{path}{'' if line is None else f', line {line}'}: {what}", hint=hint)


class LabelUnknown(CorpusBroken):
    """A label that the corpus is not known to have."""

    code = "label_unknown"
    hint = "Mend the label, or tell the importer what it means."


def shown(word: str) -> str:
    """A label for an error message; what does not look like one may be a line of a transcript, and is not repeated."""
    return f"“{word}”" if re.fullmatch(r"[\w-]{1,24}", word) else "a text that is no label"
