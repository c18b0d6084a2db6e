"""Written words as the tokens that a checkpoint would write for them."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ml.alignment.ctc import phonetics
from ml.alignment.ctc.hangul import is_block, jamo
from ml.alignment.ctc.vocabulary import Vocabulary

#: Stands for any sound: what the vocabulary cannot write, or what nobody wrote down.
STAR = -1
#: Longer numbers are telephone and account numbers, which are read out digit by digit.
_LONGEST_NUMBER = 4
_DIGITS = re.compile(r"(\d+)")


@dataclass(frozen=True, slots=True)
class Unit:
    """The smallest part of a word that gets times: a letter, a Hangul block or a phone, and its tokens.

    `opens` says that it begins a spoken word, as "two" does in "42".
    """

    label: str
    tokens: tuple[int, ...]
    opens: bool = False


@dataclass(frozen=True, slots=True)
class Token:
    """One token of a piece's text and the units [first, last) that it stands for; none for the space of two words."""

    id: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Spelling:
    """A piece's text. `words[i]` are the units [first, last) of its i-th word."""

    units: tuple[Unit, ...]
    words: tuple[tuple[int, int], ...]
    tokens: tuple[Token, ...]

    @property
    def letters(self) -> int:
        """How many tokens can be heard: neither stars nor spaces."""
        return sum(token.id != STAR and token.last > token.first for token in self.tokens)

    @property
    def known(self) -> float:
        """The share of units that the vocabulary can write."""
        return sum(STAR not in unit.tokens for unit in self.units) / max(1, len(self.units))

    def between_stars(self) -> "Spelling":
        """The same where more may be said before and after it."""
        open_end, close_end = Token(STAR, 0, 0), Token(STAR, 0, 0)
        first = () if self.tokens[0].id == STAR else (open_end,)
        last = () if self.tokens[-1].id == STAR else (close_end,)
        return Spelling(self.units, self.words, (*first, *self.tokens, *last))


def spell(words: Sequence[str], language: str, vocabulary: Vocabulary) -> Spelling:
    """Spell words as written. Every word gets at least one unit, a star when nothing of it can be written.

    Numbers are spoken as the language says them. Signs that nobody pronounces are left out.
    """
    phonetic = vocabulary.phonetic
    units: list[Unit] = []
    bounds: list[tuple[int, int]] = []
    for word in words:
        own = list(_sounds(word, language, vocabulary) if phonetic else _letters(word, language, vocabulary))
        first = len(units)
        units += [Unit(u.label, u.tokens, opens=u.opens or i == 0) for i, u in enumerate(own)] or [
            Unit(word, (STAR,), opens=True)
        ]
        bounds.append((first, len(units)))
    return Spelling(tuple(units), tuple(bounds), tuple(_joined(units, vocabulary.delimiter)))


def _joined(units: Sequence[Unit], delimiter: int | None) -> Iterator[Token]:
    """The tokens of all units: spaces between words, neighbouring stars as one, which swallows the space as well."""
    star: Token | None = None
    written = False
    for index, unit in enumerate(units):
        for position, token in enumerate(unit.tokens):
            if token == STAR:
                star = Token(STAR, index if star is None else star.first, index + 1)
                continue
            if star is not None:
                yield star
            elif unit.opens and position == 0 and written and delimiter is not None:
                yield Token(delimiter, 0, 0)
            yield Token(token, index, index + 1)
            star, written = None, True
    if star is not None:
        yield star


def _letters(word: str, language: str, vocabulary: Vocabulary) -> Iterator[Unit]:
    for part in _DIGITS.split(unicodedata.normalize("NFC", word.replace("’", "'"))):
        said = [part]
        if part.isdecimal() and not set(part) <= vocabulary.ids.keys():
            said = _number(part, language) or [part]
        for number, piece in enumerate(said):
            opens = number > 0
            for character in piece:
                tokens = _tokens(character, vocabulary)
                if tokens is not None:
                    yield Unit(character, tokens, opens=opens)
                    opens = False


def _tokens(character: str, vocabulary: Vocabulary) -> tuple[int, ...] | None:
    """A character's tokens: as written, in the vocabulary's case, in parts, without accents; None when it is silent."""
    forms = [character, character.lower(), character.upper()]
    if is_block(character):
        forms += jamo(character)
    for form in tuple(forms):
        parts = unicodedata.normalize("NFD", form)
        forms += [parts, "".join(sign for sign in parts if not unicodedata.combining(sign))]
    for form in forms:
        if form and all(sign in vocabulary.ids for sign in form):
            return tuple(vocabulary.ids[sign] for sign in form)
    return (STAR,) if character.isalnum() else None


def _sounds(word: str, language: str, vocabulary: Vocabulary) -> Iterator[Unit]:
    """Phones labelled in ARPAbet. Only English has a dictionary; a word that it lacks is a star."""
    if language != "en":
        return
    for part in _DIGITS.split(word.lower().replace("’", "'")):
        said = _number(part, language) if part.isdecimal() else [part] * bool(part)
        for number, spoken in enumerate(said):
            phones = phonetics.pronounce(spoken)
            if not phones:
                yield Unit(spoken, (STAR,), opens=number > 0)
            for place, phone in enumerate(phones):
                tokens = phonetics.phone_ids(phone, vocabulary) or (STAR,)
                yield Unit(phone, tokens, opens=number > 0 and place == 0)


def _number(digits: str, language: str) -> list[str]:
    """The words that a number is spoken as; none in languages that num2words does not know."""
    from num2words import num2words

    try:
        parts = list(digits) if len(digits) > _LONGEST_NUMBER else [digits]
        said = " ".join(num2words(int(part), lang=language) for part in parts)
    except (NotImplementedError, ValueError, KeyError, IndexError, TypeError):
        return []
    return [word for word in re.split(r"[\W_]+", said) if word]
