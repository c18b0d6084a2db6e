"""English words as phones of a phonetic vocabulary, through the dictionary that comes with pocketsphinx."""

import functools
from pathlib import Path

from ml.alignment.ctc.vocabulary import Vocabulary

#: ARPAbet as IPA vocabularies spell it, commonest first; a space parts what some write as two tokens. The dictionary
#: has no stress, so AH is taken for the schwa that it mostly is.
_IPA = {
    "AA": ("ɑː", "ɑ", "ɒ", "a"), "AE": ("æ",), "AH": ("ə", "ʌ", "ɐ"), "AO": ("ɔː", "ɔ", "ɒ"),
    "AW": ("aʊ", "a ʊ"), "AY": ("aɪ", "a ɪ"), "B": ("b",), "CH": ("tʃ", "ʧ", "t ʃ"), "D": ("d",), "DH": ("ð",),
    "EH": ("ɛ", "e"), "ER": ("ɚ", "ɜː", "ɝ", "ɜ", "ə ɹ"), "EY": ("eɪ", "e ɪ", "e"), "F": ("f",), "G": ("ɡ", "g"),
    "HH": ("h",), "IH": ("ɪ",), "IY": ("iː", "i"), "JH": ("dʒ", "ʤ", "d ʒ"), "K": ("k",), "L": ("l",), "M": ("m",),
    "N": ("n",), "NG": ("ŋ",), "OW": ("oʊ", "əʊ", "o ʊ", "o"), "OY": ("ɔɪ", "ɔ ɪ"), "P": ("p",), "R": ("ɹ", "r"),
    "S": ("s",), "SH": ("ʃ",), "T": ("t",), "TH": ("θ",), "UH": ("ʊ",), "UW": ("uː", "u"), "V": ("v",), "W": ("w",),
    "Y": ("j",), "Z": ("z",), "ZH": ("ʒ",),
}  # fmt: skip


@functools.cache
def _dictionary() -> dict[str, tuple[str, ...]]:
    """Each word's first pronunciation in ARPAbet."""
    import pocketsphinx

    found: dict[str, tuple[str, ...]] = {}
    path = Path(pocketsphinx.get_model_path()) / "en-us" / "cmudict-en-us.dict"
    for line in path.read_text(encoding="utf-8").splitlines():
        word, *phones = line.split()
        found.setdefault(word, tuple(phones))
    return found


def pronounce(word: str) -> tuple[str, ...]:
    """The ARPAbet phones of an English word; () when the dictionary does not have it."""
    return _dictionary().get(word.lower(), ())


def phone_ids(phone: str, vocabulary: Vocabulary) -> tuple[int, ...]:
    """The vocabulary's tokens for an ARPAbet phone; () when it has none."""
    for spelt in (phone, phone.lower(), *_IPA[phone]):
        parts = spelt.split()
        if all(part in vocabulary.ids for part in parts):
            return tuple(vocabulary.ids[part] for part in parts)
    return ()
