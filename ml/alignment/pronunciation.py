"""From written text to words that an acoustic dictionary can hold: numbers spelt out, letters turned into phones.

The dictionary of the acoustic model knows 134,860 English words; the letter rules serve only names and typing errors,
where a rough pronunciation is enough to find a word's place between its neighbours.
"""

import re
import unicodedata

from num2words import num2words

_NUMBER = re.compile(r"\d+")

#: Longest match first; CMU phones without stress.
_RULES: tuple[tuple[str, str], ...] = (
    ("tch", "CH"), ("sch", "SH"), ("igh", "AY"), ("eau", "OW"), ("ough", "AO"),
    ("ch", "CH"), ("sh", "SH"), ("th", "TH"), ("ph", "F"), ("wh", "W"), ("ck", "K"), ("ng", "NG"), ("qu", "K W"),
    ("kn", "N"), ("wr", "R"), ("gh", "G"), ("dg", "JH"), ("ee", "IY"), ("ea", "IY"), ("oo", "UW"), ("ou", "AW"),
    ("ow", "OW"), ("oi", "OY"), ("oy", "OY"), ("ai", "EY"), ("ay", "EY"), ("au", "AO"), ("aw", "AO"), ("ie", "IY"),
    ("ei", "EY"), ("ey", "IY"), ("oa", "OW"), ("ue", "UW"), ("ar", "AA R"), ("er", "ER"), ("ir", "ER"), ("or", "AO R"),
    ("ur", "ER"), ("a", "AE"), ("b", "B"), ("c", "K"), ("d", "D"), ("e", "EH"), ("f", "F"), ("g", "G"), ("h", "HH"),
    ("i", "IH"), ("j", "JH"), ("k", "K"), ("l", "L"), ("m", "M"), ("n", "N"), ("o", "AA"), ("p", "P"), ("q", "K"),
    ("r", "R"), ("s", "S"), ("t", "T"), ("u", "AH"), ("v", "V"), ("w", "W"), ("x", "K S"), ("y", "Y"), ("z", "Z"),
)  # fmt: skip


def spoken(token: str) -> list[str]:
    """The lower-case dictionary words that a written token is spoken as ("42" → forty two); [] when unpronounceable."""
    plain = unicodedata.normalize("NFKD", token.replace("’", "'")).encode("ascii", "ignore").decode().lower()
    words: list[str] = []
    position = 0
    for number in _NUMBER.finditer(plain):
        words += _letters(plain[position : number.start()])
        words += _number(number.group())
        position = number.end()
    return words + _letters(plain[position:])


def _letters(part: str) -> list[str]:
    cleaned = re.sub(r"[^a-z']", "", part).strip("'")
    return [cleaned] if cleaned else []


def _number(digits: str) -> list[str]:
    # Long digit strings are read out: telephone and account numbers.
    said = " ".join(num2words(int(d)) for d in digits) if len(digits) > 4 else num2words(int(digits))
    return re.findall(r"[a-z]+", said)


def phones(word: str) -> str:
    """A rough CMU pronunciation of an unknown word by letter rules, phones separated by spaces."""
    result: list[str] = []
    rest = word.replace("'", "")
    if len(rest) > 3 and rest.endswith("e") and rest[-2] not in "aeiou":
        rest = rest[:-1]
    while rest:
        letters, sound = next(rule for rule in _RULES if rest.startswith(rule[0]))
        result.append(sound)
        rest = rest[len(letters) :]
        if rest.startswith(letters) and len(letters) == 1 and letters not in "aeiou":
            rest = rest[1:]
    return " ".join(result)
