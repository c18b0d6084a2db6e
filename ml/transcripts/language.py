"""Which language a text is in.

By its script where that decides; else by py3langid (Lui and Baldwin, "langid.py: an off-the-shelf language
identification tool", ACL 2012; retrained by its fork). Its model lies in its package as compressed plain arrays, read
without pickle.
"""

import functools
import threading
import unicodedata
from collections import Counter
from typing import TYPE_CHECKING

from ml.pinned import PY3LANGID, verify

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

#: Below, the text is too short or too mixed to tell. At 0.7, of 3,000 English television lines one in a thousand is
#: taken for another language; lines under ten letters are rarely decided, those over forty nearly always.
CERTAIN = 0.7
#: Characters that are looked at.
_SAMPLE = 20_000
#: Share of the letters that makes a script the text's own; foreign names and loanwords keep their letters.
_OWN_SCRIPT = 0.3
#: Scripts (first word of a character's Unicode name) that one language of transcripts is written in. Japanese is
#: told from Chinese by any kana.
_SCRIPTS = {"HANGUL": "ko", "HIRAGANA": "ja", "KATAKANA": "ja", "GREEK": "el", "THAI": "th", "HEBREW": "he",
            "GEORGIAN": "ka", "ARMENIAN": "hy", "KHMER": "km", "LAO": "lo", "CJK": "zh"}  # fmt: skip
#: What is told apart. Left out are languages that nobody's recordings are likely in, or that only longer texts can be
#: told from a much larger one; every one more takes certainty from short texts.
LANGUAGES = (
    "af", "ar", "bg", "bn", "ca", "cs", "cy", "da", "de", "el", "en", "es", "et", "eu", "fa", "fi", "fr", "ga", "gl",
    "gu", "he", "hi", "hr", "hu", "hy", "id", "is", "it", "ja", "ka", "kk", "km", "kn", "ko", "lt", "lv", "mk", "ml",
    "mn", "mr", "ms", "my", "ne", "nl", "no", "pa", "pl", "pt", "ro", "ru", "si", "sk", "sl", "sq", "sr", "sv", "sw",
    "ta", "te", "th", "tl", "tr", "uk", "ur", "uz", "vi", "zh",
)  # fmt: skip
_lock = threading.Lock()


def detect(text: str) -> str | None:
    """The ISO 639-1 code of a text's language; None when it is too short or too mixed to tell."""
    by_script = _by_script(text[:_SAMPLE])
    if by_script is not None:
        return by_script
    language, certainty = reads_as(text)
    return language if certainty >= CERTAIN else None


def reads_as(text: str) -> tuple[str, float]:
    """The most likely of `LANGUAGES`, and its probability among them."""
    language, probability = _identifier().classify(text[:_SAMPLE])
    return str(language), float(probability)


def _by_script(text: str) -> str | None:
    letters = [character for character in text if character.isalpha()]
    scripts = Counter(unicodedata.name(character, "").partition(" ")[0] for character in letters)
    kana = scripts["HIRAGANA"] + scripts["KATAKANA"]
    if kana:
        scripts["HIRAGANA"], scripts["KATAKANA"], scripts["CJK"] = kana + scripts["CJK"], 0, 0
    for script, language in _SCRIPTS.items():
        if letters and scripts[script] > _OWN_SCRIPT * len(letters):
            return language
    return None


def _identifier() -> "LanguageIdentifier":
    with _lock:
        return _loaded()


@functools.cache
def _loaded() -> "LanguageIdentifier":
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    verify(PY3LANGID)
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(list(LANGUAGES))
    return identifier
