"""How unknown English words are pronounced: by their stem and ending, else by a network that reads letters."""

from collections.abc import Callable

from ml.alignment.g2p import letters_to_phones

_HISSING = {"S", "Z", "SH", "ZH", "CH", "JH"}
_VOICELESS = {"P", "T", "K", "F", "TH"}


def pronounce(word: str, lookup: Callable[[str], str | None]) -> str:
    """Phones of a word separated by blanks, for a dictionary that lacks it; `lookup` gives those of known words.

    A possessive or plural is said as its stem and the ending that English puts there; "" when nothing can be said.
    """
    stem, ending = (word[:-2], True) if word.endswith("'s") else (word.removesuffix("'"), False)
    if not ending and stem.endswith("s") and lookup(stem[:-1]) is not None:
        stem, ending = stem[:-1], True
    phones = (lookup(stem) or "").split() or letters_to_phones(stem)
    if ending and phones:
        phones += ["IH", "Z"] if phones[-1] in _HISSING else ["S"] if phones[-1] in _VOICELESS else ["Z"]
    return " ".join(phones)
