"""The words of a text."""

import re

_TOKEN = re.compile(r"[^\W_]+(?:['’][^\W_]+)*", re.UNICODE)


def tokens(text: str) -> list[str]:
    """The words of a text as written, without punctuation."""
    return _TOKEN.findall(text)
