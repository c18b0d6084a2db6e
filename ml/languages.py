"""Names of languages: whatever way a person writes a code, one way to keep it."""

import functools

from ml.errors import TenorError

#: The language is found from the transcript's text.
AUTO = "auto"
#: Codes of ISO 639-2 that name no language: undetermined, several, uncoded, nothing linguistic.
_NO_LANGUAGE = frozenset({"und", "mul", "mis", "zxx"})


class LanguageUnknown(TenorError):
    """A language is named by something that is not a language code."""

    code = "language_unknown"
    hint = "Use a code of ISO 639-1 such as en, ko or pl, or auto to find it from the transcript."


@functools.lru_cache(maxsize=256)
def standard_language(code: str) -> str:
    """ "auto", or the ISO 639-1 code (639-3 where 639-1 has none) of a language tag such as `en`, `eng` or `en_US`.

    Region and script are left out, because neither aligners nor text models tell them apart. Raises
    `LanguageUnknown`, which does not repeat the code: a manifest whose columns have slipped could hold anything there.
    """
    from langcodes import Language, tag_is_valid
    from langcodes.tag_parser import LanguageTagError

    code = code.strip()
    if code.lower() == AUTO:
        return AUTO
    try:
        language = Language.get(code).language if tag_is_valid(code) else None
    except LanguageTagError:
        language = None
    if language is None or language in _NO_LANGUAGE:
        raise LanguageUnknown("the language is not a code of ISO 639")
    return language
