"""The internal form of a transcript. Times are seconds from the start of the recording."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Said:
    """A word or phone whose time the transcript gives; `confidence` in [0, 1] where it gives one."""

    text: str
    start_s: float
    end_s: float
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """A stretch of text by one speaker; times are None where the transcript has none.

    `words` and `phones` are those the transcript itself gives times for. `channel` counts from 0. A turn without text
    says only that somebody speaks (RTTM).
    """

    text: str
    start_s: float | None = None
    end_s: float | None = None
    speaker: str | None = None
    channel: int | None = None
    words: tuple[Said, ...] | None = None
    phones: tuple[Said, ...] | None = None

    @property
    def timed(self) -> bool:
        """True when the transcript says when it was spoken."""
        return self.start_s is not None


@dataclass(frozen=True, slots=True)
class Transcript:
    """Turns in order; either all timed or none.

    `language` is ISO 639-1 where the file says it. `problems` are sentences with file and line about what was left
    out; they never quote the text.
    """

    turns: tuple[Turn, ...]
    sha256: str
    language: str | None = None
    problems: tuple[str, ...] = ()
