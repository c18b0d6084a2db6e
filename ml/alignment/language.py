"""In which language a recording is aligned."""

from collections.abc import Sequence

from ml.transcripts import Turn
from ml.transcripts.language import detect

#: Text that is looked at, in characters: more adds no certainty.
SAMPLE = 20_000
#: What a text too short to tell ("OK") is taken for: every model reads it, and the offline aligner can place it.
DEFAULT = "en"


def choose_language(option: str, declared: str | None, turns: Sequence[Turn]) -> str:
    """ISO 639-1: what the job says, else what the transcript declares, else what its words look like."""
    if option != "auto":
        return option
    return declared or detect(" ".join(turn.text for turn in turns)[:SAMPLE]) or DEFAULT
