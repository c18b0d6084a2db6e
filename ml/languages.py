"""Names of languages: whatever way a person writes a code, one way to keep it."""

import functools

from ml.errors import TenorError

#: The language is found from the transcript's text.
AUTO = "auto"
#: Codes of ISO 639-2 that name no language: undetermined, several, uncoded, nothing linguistic.
_NO_LANGUAGE = frozenset({"und", "mul", "mis", "zxx"})
#: Names as recognizers and corpora write them instead of codes.
_NAMES = {
    "arabic": "ar", "chinese": "zh", "mandarin": "zh", "czech": "cs", "danish": "da", "dutch": "nl", "english": "en",
    "finnish": "fi", "french": "fr", "german": "de", "greek": "el", "hebrew": "he", "hindi": "hi", "hungarian": "hu",
    "indonesian": "id", "italian": "it", "japanese": "ja", "korean": "ko", "norwegian": "no", "persian": "fa",
    "polish": "pl", "portuguese": "pt", "romanian": "ro", "russian": "ru", "slovak": "sk", "spanish": "es",
    "swedish": "sv", "thai": "th", "turkish": "tr", "ukrainian": "uk", "vietnamese": "vi",
}  # fmt: skip


class LanguageUnknown(TenorError):
    """A language is named by something that is not a language code."""

    code = "language_unknown"
    hint = "Use a code of ISO 639-1 such as en, ko or pl, or auto to find it from the transcript."


@functools.lru_cache(maxsize=256)
def standard_language(code: str) -> str:
    """ "auto", or what `code_of` finds.

    Raises `LanguageUnknown`, which does not repeat the code: a manifest whose columns have slipped could hold anything
    there.
    """
    if code.strip().lower() == AUTO:
        return AUTO
    if (found := code_of(code)) is None:
        raise LanguageUnknown("the language is not a code of ISO 639")
    return found


def code_of(name: object) -> str | None:
    """The ISO 639-1 code (639-3 where there is none) of "en-US", "eng", or "English"; None for anything else.

    Region and script are left out, because neither aligners nor text models tell them apart.
    """
    from langcodes import Language, tag_is_valid
    from langcodes.tag_parser import LanguageTagError

    if not isinstance(name, str) or not 2 <= len(name) <= 40:
        return None
    name = name.strip()
    if name.lower() in _NAMES:
        return _NAMES[name.lower()]
    try:
        code = Language.get(name).language if tag_is_valid(name) else None
    except LanguageTagError:
        return None
    return None if code in _NO_LANGUAGE else code
