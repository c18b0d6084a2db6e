"""Names: which recording is meant, and whether a speaker's label names a person."""

import re
import unicodedata
from pathlib import PurePath

from ml.audio.decode import EXTENSIONS

#: What recognizers, diarizers and contact centres call people whom they do not know.
_LABEL = re.compile(
    r"(?:speaker|spk|spkr|guest|participant|channel|ch|voice|person|s)?[\s_#-]*\d{1,4}"
    r"|agent|customer|caller|callee|client|operator|host|guest|interviewer|interviewee|participant|speaker"
    r"|(?:speaker|participant|channel)[\s_-]*[a-z]|unknown.{0,20}",
    re.IGNORECASE,
)


def recording_name(text: str) -> str:
    """What a recording is called, whatever folder and extension stand with it, compared without regard to case."""
    name = unicodedata.normalize("NFC", PurePath(text.replace("\\", "/")).name)
    path = PurePath(name)
    return (path.stem if path.suffix.lower() in EXTENSIONS else name).casefold()


def is_label(speaker: str) -> bool:
    """Whether a speaker's name only tells voices of one recording apart ("SPEAKER_00", "spk_1", "Customer").

    Then it is no identity across recordings: the customer of one call is not that of the next.
    """
    return _LABEL.fullmatch(speaker.strip()) is not None
