"""Syllables with times: of English from phones, of Korean from its written blocks.

Other languages: none. What a hyphenation library knows is where a printed word may be broken, which leaves out
syllables of one letter, and its breaks would have to be given invented times within the word.
"""

import itertools
from collections.abc import Sequence
from dataclasses import replace

from ml.alignment.phones import VOWELS, by_word, folded
from ml.alignment.types import Phone, Syllable, Utterance, Word

#: What an English syllable can begin with (Giegerich 1992, English Phonology, §6.5), besides any one consonant but NG.
_ONSETS = frozenset(
    tuple(onset.split())
    for onset in (
        "P L", "P R", "P Y", "B L", "B R", "B Y", "T R", "T W", "T Y", "D R", "D W", "D Y", "K L", "K R", "K W", "K Y",
        "G L", "G R", "G W", "G Y", "F L", "F R", "F Y", "V Y", "TH R", "TH W", "TH Y", "S L", "S W", "S P", "S T",
        "S K", "S M", "S N", "S F", "S Y", "SH R", "HH Y", "HH W", "M Y", "N Y", "L Y", "Z Y", "S P L", "S P R",
        "S P Y", "S T R", "S T Y", "S K L", "S K R", "S K W", "S K Y",
    )
)  # fmt: skip


def syllabified(utterance: Utterance) -> Utterance:
    """The utterance with syllables, where its aligner gave none and its language and phones allow it."""
    if utterance.syllables is not None or utterance.words is None or utterance.phones is None:
        return utterance
    if utterance.language != "en":
        return utterance
    return replace(utterance, syllables=english_syllables(utterance.words, utterance.phones))


def english_syllables(words: Sequence[Word], phones: Sequence[Phone]) -> tuple[Syllable, ...] | None:
    """The syllables of each word, by maximal onset; None when some phone is none of English.

    One syllable per vowel; of the consonants between two vowels as many begin the second syllable as English allows at
    a word's beginning (Kahn 1976). Syllables never cross words.
    """
    known = folded(phones)
    if any(not phone.label for phone in known):
        return None
    spans = [(word.start_s, word.end_s) for word in words]
    return tuple(syllable for own in by_word(known, spans) if own for syllable in _of_word(own))


def _of_word(phones: Sequence[Phone]) -> list[Syllable]:
    vowels = [i for i, phone in enumerate(phones) if phone.label in VOWELS]
    firsts = [0]
    for before, after in itertools.pairwise(vowels):
        between = [phone.label for phone in phones[before + 1 : after]]
        firsts.append(after - _onset(between))
    return [
        Syllable("-".join(p.label for p in phones[a:b]), phones[a].start_s, phones[b - 1].end_s)
        for a, b in zip(firsts, [*firsts[1:], len(phones)], strict=True)
    ]


def _onset(consonants: Sequence[str]) -> int:
    """How many of the consonants between two vowels begin the second syllable."""
    for size in range(min(3, len(consonants)), 1, -1):
        if tuple(consonants[-size:]) in _ONSETS:
            return size
    return 1 if consonants and consonants[-1] != "NG" else 0
