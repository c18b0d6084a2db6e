"""What a file of labels says, before anybody knows which recordings of the database it is about."""

from collections import Counter
from dataclasses import dataclass, field

from ml.corpora.types import AFFECT_RANGE


@dataclass(frozen=True, slots=True)
class About:
    """Which recording is meant, by at least one of three.

    `paths` are tried one after the other: a path within the archive, else the end of one. With `by_name`, the name
    without folder and extension is enough, as a TextGrid is named like its recording.
    """

    recording_id: int | None = None
    sha256: str | None = None
    paths: tuple[str, ...] = ()
    by_name: bool = False

    @property
    def said(self) -> bool:
        """True when it says anything."""
        return self.recording_id is not None or self.sha256 is not None or bool(self.paths)


@dataclass(frozen=True, slots=True)
class Judgement:
    """One annotator's judgement of one stretch; without times and `utterance_no` it is the whole recording.

    `label` is one of `ml.emotions.EMOTIONS`, `shares` [7] add up to one, `arousal` and `valence` are from 1 to 5.
    Raises `ValueError` for values outside of these, and when nothing is said.
    """

    #: The file, and the line (counted from 1) or the task in it.
    file: str
    where: str
    about: About
    annotator: str
    start_s: float | None = None
    end_s: float | None = None
    utterance_no: int | None = None
    label: str | None = None
    shares: tuple[float, ...] | None = None
    arousal: float | None = None
    valence: float | None = None
    #: The annotator's own word.
    source_label: str | None = None
    note: str | None = None
    speaker: str | None = None
    language: str | None = None
    #: The speaker's.
    gender: str | None = None
    #: Names what it was drawn as in the tool, wherever its times are moved to.
    region: str | None = None

    def __post_init__(self) -> None:
        names = (
            self.annotator,
            self.note,
            self.source_label,
            self.speaker,
            self.gender,
            self.region,
            self.about.sha256,
            *self.about.paths,
        )
        if not all(_storable(name) for name in names if name is not None):
            raise ValueError("it holds a character that no text has")
        if all(value is None for value in (self.label, self.shares, self.arousal, self.valence)):
            raise ValueError("it has no label, no shares, no arousal and no valence")
        for name, value in (("arousal", self.arousal), ("valence", self.valence)):
            if value is not None and not AFFECT_RANGE[0] <= value <= AFFECT_RANGE[1]:
                raise ValueError(f"{name} is not on the scale")
        if not self.about.said:
            raise ValueError("it does not say which recording it is about")
        if (self.start_s is None) != (self.end_s is None):
            raise ValueError("a start without an end, or an end without a start")
        if self.start_s is not None and self.end_s is not None and not 0 <= self.start_s < self.end_s < float("inf"):
            raise ValueError("its times are no stretch of a recording")
        if self.utterance_no is not None and self.utterance_no < 0:
            raise ValueError("its utterance_no is no number of an utterance")


def _storable(text: str) -> bool:
    """False for zero characters and halves of surrogate pairs, which JSON can spell and Postgres refuses."""
    return "\x00" not in text and not any("\ud800" <= sign <= "\udfff" for sign in text)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A line that could not be followed; the sentence quotes no more of it than a label."""

    file: str
    where: str
    reason: str

    def __str__(self) -> str:
        return f"{self.file}, {self.where}: {self.reason}"


@dataclass(slots=True)
class Read:
    """What a file, or a folder of files, holds."""

    source: str
    sha256: str
    format: str
    judgements: list[Judgement] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    #: Lines that say nothing, and are not meant to, by reason.
    left_out: Counter[str] = field(default_factory=Counter)
