"""Hangul blocks and the letters (jamo) that they are made of, in both of Unicode's alphabets.

The Unicode Standard, section 3.12: a block is 0xAC00 + (lead x 21 + vowel) x 28 + tail.
"""

import unicodedata

_LEADS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
_VOWELS = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
_TAILS = " ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ"
#: Letters that smaller alphabets write as two.
_PAIRS = {
    "ㄲ": "ㄱㄱ", "ㄸ": "ㄷㄷ", "ㅃ": "ㅂㅂ", "ㅆ": "ㅅㅅ", "ㅉ": "ㅈㅈ", "ㄳ": "ㄱㅅ", "ㄵ": "ㄴㅈ", "ㄶ": "ㄴㅎ",
    "ㄺ": "ㄹㄱ", "ㄻ": "ㄹㅁ", "ㄼ": "ㄹㅂ", "ㄽ": "ㄹㅅ", "ㄾ": "ㄹㅌ", "ㄿ": "ㄹㅍ", "ㅀ": "ㄹㅎ", "ㅄ": "ㅂㅅ",
    "ㅘ": "ㅗㅏ", "ㅙ": "ㅗㅐ", "ㅚ": "ㅗㅣ", "ㅝ": "ㅜㅓ", "ㅞ": "ㅜㅔ", "ㅟ": "ㅜㅣ", "ㅢ": "ㅡㅣ",
}  # fmt: skip


def is_block(character: str) -> bool:
    """Whether it is one syllable of Korean."""
    return "가" <= character <= "힣"


def jamo(block: str) -> tuple[str, ...]:
    """The block's letters in the ways that vocabularies write them, best first.

    Conjoining letters (what NFD gives), letters of the compatibility alphabet, these with double letters as two.
    """
    number = ord(block) - ord("가")
    lead, vowel, tail = number // 588, number % 588 // 28, number % 28
    letters = (_LEADS[lead] + _VOWELS[vowel] + _TAILS[tail]).strip()
    return (
        unicodedata.normalize("NFD", block),
        letters,
        "".join(_PAIRS.get(letter, letter) for letter in letters),
    )
