"""An utterance on its way: it may not have a speaker yet."""

from dataclasses import dataclass

from ml.alignment.types import Phone, Syllable, Word


@dataclass(frozen=True, slots=True)
class Draft:
    """An utterance whose speaker may still be unknown; `channel` indexes the analysed channels.

    `speaker` is a name that transcript or manifest gives; `voice` an unnamed voice that diarization told apart.
    """

    start_s: float
    end_s: float
    channel: int
    speaker: str | None = None
    voice: int | None = None
    text: str | None = None
    words: tuple[Word, ...] | None = None
    phones: tuple[Phone, ...] | None = None
    syllables: tuple[Syllable, ...] | None = None
    quality: str | None = None
