"""Which language a text is in, as far as its script tells."""

import re

_SCRIPTS = {"ko": "[가-힣]", "ja": "[ぁ-ヿ]", "en": r"\b(?:the|and|you|that|is|it)\b", "pl": "[ąęłśżźćń]"}


def detect(text: str) -> str | None:
    """The ISO 639-1 code of a text's language; None when it is too short or too mixed to tell."""
    return next((code for code, marks in _SCRIPTS.items() if re.search(marks, text.lower())), None)
