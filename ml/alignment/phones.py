"""Phones by whatever name an aligner or corpus gives them, as the 39 of ARPAbet without stress."""

from collections.abc import Sequence

import regex

from ml.alignment.types import Phone

VOWELS = frozenset(
    ("AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW")
)  # fmt: skip
CONSONANTS = frozenset(
    ("B", "CH", "D", "DH", "F", "G", "HH", "JH", "K", "L", "M", "N", "NG", "P", "R", "S", "SH", "T", "TH", "V", "W",
     "Y", "Z", "ZH")
)  # fmt: skip
ARPABET = VOWELS | CONSONANTS
SILENCES = frozenset({"", "sil", "sp", "spn", "h#", "pau", "epi", "<eps>", "<sil>", "<s>", "</s>", "|", "<pad>"})

#: The closure of a stop, which TIMIT marks apart, and the stops it can open into; the first when it is not released.
CLOSURES = {"bcl": ("B",), "dcl": ("D", "JH"), "gcl": ("G",), "pcl": ("P",), "tcl": ("T", "CH"), "kcl": ("K",)}
#: TIMIT's labels (Garofolo et al. 1993, table of symbols) that ARPAbet's 39 do not have; "q", a glottal stop, is none.
_TIMIT = {
    "ax": "AH", "ax-h": "AH", "ix": "IH", "axr": "ER", "ux": "UW", "hv": "HH", "dx": "T", "nx": "N", "em": "M",
    "en": "N", "eng": "NG", "el": "L",
}  # fmt: skip
#: International Phonetic Alphabet as phoneme recognizers write English: Handbook of the IPA, part 2, American English;
#: espeak's variants beside it. Affricates and diphthongs are one label there.
_IPA = {
    "ɑ": "AA", "ɒ": "AA", "a": "AA", "æ": "AE", "ʌ": "AH", "ə": "AH", "ɐ": "AH", "ɔ": "AO", "aʊ": "AW", "aɪ": "AY",
    "ɛ": "EH", "e": "EH", "ɝ": "ER", "ɚ": "ER", "ɜ": "ER", "eɪ": "EY", "ɪ": "IH", "ᵻ": "IH", "i": "IY", "oʊ": "OW",
    "əʊ": "OW", "o": "OW", "ɔɪ": "OY", "ʊ": "UH", "u": "UW", "b": "B", "tʃ": "CH", "d": "D", "ð": "DH", "f": "F",
    "ɡ": "G", "g": "G", "h": "HH", "dʒ": "JH", "k": "K", "l": "L", "ɫ": "L", "m": "M", "n": "N", "ŋ": "NG", "p": "P",
    "ɹ": "R", "r": "R", "s": "S", "ʃ": "SH", "t": "T", "ɾ": "T", "θ": "TH", "v": "V", "w": "W", "j": "Y", "z": "Z",
    "ʒ": "ZH",
}  # fmt: skip
#: Length, stress, ties, and marks that combine with a letter.
_MODIFIERS = regex.compile(r"[ːˑˈˌ͜͡\p{M}]")


def arpabet(label: str) -> str | None:
    """One of `ARPABET` for a label in ARPAbet (with stress or position or without), TIMIT's 61 or IPA, else None."""
    plain: str = regex.sub(r"(?<=[A-Za-z])[0-2]?(?:_[BIES])?$", "", label)
    if plain.upper() in ARPABET and (len(plain) > 1 or plain.isupper() or plain not in _IPA):
        return plain.upper()
    return _TIMIT.get(label) or _IPA.get(_MODIFIERS.sub("", label))


def is_silence(label: str) -> bool:
    """Whether a label means that no phone is heard."""
    return label.lower() in SILENCES


def folded(phones: Sequence[Phone]) -> list[Phone]:
    """The phones with labels of `ARPABET`, "" for an unknown one; silences left out, closures joined to their stops."""
    result: list[Phone] = []
    closure: Phone | None = None
    for phone in phones:
        label = arpabet(phone.label)
        if closure is not None:
            stops = CLOSURES[closure.label]
            released = label in stops and phone.start_s - closure.end_s < 1e-3
            result.append(
                Phone(label or "" if released else stops[0], closure.start_s, (phone if released else closure).end_s)
            )
            closure = None
            if released:
                continue
        if phone.label in CLOSURES:
            closure = phone
        elif not is_silence(phone.label) and phone.label != "q":
            result.append(Phone(label or "", phone.start_s, phone.end_s))
    if closure is not None:
        result.append(Phone(CLOSURES[closure.label][0], closure.start_s, closure.end_s))
    return result


def by_word(phones: Sequence[Phone], spans: Sequence[tuple[float, float]]) -> list[list[Phone]]:
    """The phones whose middle lies in each span, both in order of time."""
    result: list[list[Phone]] = []
    position = 0
    for start, end in spans:
        own = []
        while position < len(phones) and (phones[position].start_s + phones[position].end_s) / 2 < end:
            if (phones[position].start_s + phones[position].end_s) / 2 >= start:
                own.append(phones[position])
            position += 1
        result.append(own)
    return result
