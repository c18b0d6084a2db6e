"""What a job can choose about alignment."""

from dataclasses import dataclass, fields
from typing import Any, Literal

#: Part of an alignment's identity: raise it when the same input gives another result.
VERSION = 2


@dataclass(frozen=True, slots=True)
class AlignOptions:
    """Equal options give equal alignments, which later jobs reuse."""

    channels: Literal["auto", "split", "mix"] = "auto"
    #: A name of `ml.alignment.registry`: "pocketsphinx", "ctc:CHECKPOINT" or "none".
    aligner: str = "pocketsphinx"
    #: ISO 639-1, or "auto": found from the transcript's text.
    language: str = "auto"
    max_utterance_s: float = 15.0
    #: How many voices there are in recordings that name none; None: estimated.
    speakers: int | None = None
    #: A speech recognition checkpoint (local folder or Hub id) for recordings without a transcript; None: no text.
    transcriber: str | None = None
    #: Who speaks in the whole recording, an identity across recordings; goes before names in the transcript.
    speaker: str | None = None
    #: The language of such recordings where `language` is "auto"; None: heard, or found from what is recognised.
    transcriber_language: str | None = None

    def identity(self) -> dict[str, Any]:
        """What an alignment is known by, besides the audio and the transcript."""
        return {**{f.name: getattr(self, f.name) for f in fields(AlignOptions)}, "version": VERSION}
