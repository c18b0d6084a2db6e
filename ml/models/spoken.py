"""What of a transcript is words: transcripts also write sounds, such as [laughter] or <noise>."""

import re

_SOUND = re.compile(r"\[[^\]]*\]|<[^>]*>")


def words_of(text: str | None) -> str:
    """The text without sounds and superfluous blanks, "" where no letter or digit is left."""
    words = " ".join(_SOUND.sub(" ", text or "").split())
    return words if any(character.isalnum() for character in words) else ""
