"""From written words to what an English reader says: numbers, money, signs, abbreviations.

After the classes of Sproat et al. 2001, Normalization of non-standard words, §3.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator

from num2words import num2words

#: Letters that have no decomposition into a Latin letter and a mark.
_FOLDED = str.maketrans(
    {"’": "'", "‘": "'", "ß": "ss", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "æ": "ae", "Æ": "AE", "œ": "oe",
     "đ": "d", "Đ": "D", "þ": "th", "ð": "th", "ı": "i", "–": "-", "‑": "-"}
)  # fmt: skip
_SIGNS = {"&": "and", "@": "at", "%": "percent", "+": "plus", "=": "equals", "#": "number", "°": "degrees"}
_MONEY = {"$": ("dollar", "dollars"), "€": ("euro", "euros"), "£": ("pound", "pounds"), "¥": ("yen", "yen")}
#: Said in full whatever the dictionary holds ("dr" is "drive" there).
_ABBREVIATIONS = {"dr": "doctor", "vs": "versus", "approx": "approximately", "dept": "department"}
#: Longer words are no words, and longer tokens nothing that anybody says.
MAX_LETTERS, MAX_CHARACTERS = 40, 100
#: Longer numbers without separators are read digit by digit: telephones, accounts.
MAX_CARDINAL_DIGITS = 4
#: The largest number that is read as one.
MAX_NUMBER = 10**15

_PART = re.compile(r"[$€£¥]?[0-9][0-9.,:]*(?:st|nd|rd|th|s)?(?![a-z0-9])[€£$]?|[0-9]+|[a-zA-Z'.]+|[&@%+=#°$€£¥]")


def spoken(token: str, known: Callable[[str], bool]) -> list[str]:
    """The lower-case words a written word is spoken as ("$42" → forty two dollars); [] when nothing can be said.

    `known` tells whether the dictionary holds a word; those that it does not hold are returned all the same.
    """
    if len(token) > MAX_CHARACTERS:
        return []
    folded = token.translate(_FOLDED)
    signs = {sign: f" {sign} " for sign in "€£¥°"}
    # Accents and other marks go, signs that are spoken stay.
    plain = "".join(
        c if c in signs else unicodedata.normalize("NFKD", c).encode("ascii", "ignore").decode() for c in folded
    ).strip("'")
    lower = plain.lower()
    if not re.search(r"[0-9]", lower):
        for form in (_ABBREVIATIONS.get(lower, ""), lower, f"{lower}."):
            if form and known(form):
                return [form]
    if _telephone(lower):
        return [word for digit in re.sub(r"\D", "", lower) for word in _cardinal(int(digit))]
    return [word for piece in re.split(r"-+", plain) for word in _piece(piece, known)]


def _piece(piece: str, known: Callable[[str], bool]) -> Iterator[str]:
    for match in _PART.finditer(piece):
        part = match.group()
        if part in _SIGNS:
            yield _SIGNS[part]
        elif part in _MONEY:
            yield _MONEY[part][1]
        elif any(c.isdigit() for c in part):
            yield from _number(part)
        else:
            yield from _letters(part, known, alone=match.group() == piece)


def _letters(part: str, known: Callable[[str], bool], *, alone: bool) -> Iterator[str]:
    word = part.lower().strip("'")
    bare = word.replace(".", "")
    if not bare or len(bare) > MAX_LETTERS:
        return
    dotted = "." in word.strip(".")
    # Unknown capitals are read letter by letter when few or without a vowel; so are the few before a digit (mp3).
    initials = part.isupper() and len(bare) > 1 and (len(bare) <= 3 or not set(bare) & set("aeiouy"))
    if known(word):
        yield word
    elif known(bare) and not dotted:
        yield bare
    elif dotted or initials or (not alone and len(bare) <= 3):
        yield from bare.replace("'", "")
    else:
        yield bare


def _telephone(lower: str) -> bool:
    return re.fullmatch(r"\d{3,}(-\d{3,})+", lower) is not None


def _number(part: str) -> Iterator[str]:
    money = next((sign for sign in _MONEY if sign in part), None)
    body = re.sub(r"[$€£¥]", "", part).rstrip(".,:")
    if money is not None:
        yield from _amount(body, *_MONEY[money])
    elif clock := re.fullmatch(r"([0-9]{1,2}):([0-9]{2})", body):
        yield from _clock(int(clock[1]), int(clock[2]))
    elif ordinal := re.fullmatch(r"([0-9,]+)(?:st|nd|rd|th)", body):
        yield from _words(_read(ordinal[1]), "ordinal")
    elif decade := re.fullmatch(r"([0-9]+)s", body):
        *front, last = _year_or_cardinal(decade[1])
        yield from front
        yield f"{last[:-1]}ies" if last.endswith("y") else f"{last}es" if last.endswith("x") else f"{last}s"
    else:
        yield from _plain_number(body)


def _amount(body: str, one: str, many: str) -> Iterator[str]:
    whole, _, cents = body.partition(".")
    yield from _cardinal(_read(whole)) if len(cents) in (0, 2) else _plain_number(body)
    yield one if body == "1" else many
    if len(cents) == 2 and cents.isdigit() and int(cents):
        yield from _cardinal(int(cents))


def _clock(hours: int, minutes: int) -> Iterator[str]:
    yield from _cardinal(hours)
    if minutes == 0:
        yield "o'clock"
    else:
        if minutes < 10:
            yield "oh"
        yield from _cardinal(minutes)


def _plain_number(body: str) -> Iterator[str]:
    whole, point, fraction = body.partition(".")
    if "," in whole:
        yield from _cardinal(_read(whole))
    elif whole:
        yield from _year_or_cardinal(re.sub(r"\D", "", whole))
    if point and fraction:
        yield "point"
        for digit in re.sub(r"\D", "", fraction):
            yield from _cardinal(int(digit))


def _year_or_cardinal(digits: str) -> list[str]:
    if len(digits) > MAX_CARDINAL_DIGITS or (len(digits) > 1 and digits.startswith("0")):
        return [word for digit in digits for word in _cardinal(int(digit))]
    value = int(digits or 0)
    return _words(value, "year") if 1100 <= value < 2100 else _cardinal(value)


def _read(digits: str) -> int:
    return int(re.sub(r"\D", "", digits)[:30] or 0)


def _cardinal(value: int) -> list[str]:
    if value >= MAX_NUMBER:
        return [word for digit in str(value) for word in _cardinal(int(digit))]
    return _words(value, "cardinal")


def _words(value: int, form: str) -> list[str]:
    return re.findall(r"[a-z]+", num2words(min(value, MAX_NUMBER), to=form).lower())
