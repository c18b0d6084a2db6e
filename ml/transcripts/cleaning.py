"""Text as it is kept: NFC, one line, without what is written but not said.

Annotations are not words. In running text these are left out: `[laughter]`, `<unk>`, `{BREATH}`, `++NOISE++` (any
short stretch in such brackets, without line breaks), and `(laughs)` only when it holds nothing but names of sounds,
since people also put speech in parentheses. A word or phone with its own time is also left out when it is a sign for
silence that aligners write, such as `sil`, `sp` and `<eps>`.
"""

import re
import unicodedata

#: Names of sounds that are no speech, as transcribers write them.
_SOUNDS = (
    "applause|background|breath|breathe[sd]?|breathing|cough|coughs|coughing|cross ?talk|cry|crying|cries|garbage|"
    "inaudible|indistinct|laugh|laughs|laughing|laughter|lip ?smack|music|noise|noises|overlap|pause|sigh|sighs|"
    "silence|sneeze|sneezes|sniff|sniffs|throat|clears|unclear|unintelligible|unk|vocalized-noise"
)
_BRACKETED = re.compile(r"\[[^\[\]\n]{1,40}\]|<[^<>\n]{1,40}>|\{[^{}\n]{1,40}\}|\+{1,2}[A-Za-z_]{1,40}\+{1,2}")
_SOUND = re.compile(rf"(?:{_SOUNDS})(?:[ ,_-]+(?:{_SOUNDS}))*\.?", re.IGNORECASE)
_PARENTHESES = re.compile(r"\(([^()\n]{1,40})\)")
_SILENCE = frozenset({"sil", "sp", "spn", "silence", "pau", "epi", "h#", "#h", "#", "<eps>", "<s>", "</s>", "<sil>"})
#: Written where a speaker is not known. Exactly so: Na and Nan are people.
_NOBODY = frozenset(
    {"", "-", "<NA>", "N/A", "None", "none", "NULL", "null", "NaN", "nan", "UNKNOWN", "Unknown", "unknown"}
)
#: What Postgres or a terminal cannot take: control characters, and halves of surrogate pairs out of JSON.
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f]")
_SURROGATES = re.compile(r"[\ud800-\udfff]")
_VARIANT = re.compile(r"\(\d{1,2}\)$")


def one_line(text: str) -> str:
    """NFC with single spaces and no control characters."""
    text = _SURROGATES.sub("\ufffd", _CONTROLS.sub("", text))
    return " ".join(unicodedata.normalize("NFC", text).split())


def said(text: str) -> str:
    """Text without its annotations."""
    text = _BRACKETED.sub(" ", text)
    text = _PARENTHESES.sub(lambda match: " " if is_sound(match.group(1)) else match.group(0), text)
    return one_line(text)


def only_sounds(text: str) -> bool:
    """Whether something is written and none of it is said; then nobody speaks, unlike where nothing is written."""
    return bool(text.strip()) and not said(text)


def is_sound(text: str) -> bool:
    """Whether a text names only sounds that are no speech ("laughter", "music, noise")."""
    return _SOUND.fullmatch(text.strip()) is not None


def word(text: str) -> str | None:
    """A word that has a time of its own; None when it is a sign for silence or noise, or only punctuation."""
    if text.strip().lower() in _SILENCE:
        return None
    text = said(_VARIANT.sub("", text.strip()))
    return text if any(character.isalnum() for character in text) else None


def phone(text: str) -> str | None:
    """A phone's label; every sign for silence is "SIL", and "+LAUGHTER+" is "LAUGHTER"."""
    text = one_line(text)
    if not text:
        return None
    return "SIL" if text.lower() in _SILENCE - {"spn"} else text.strip("+") or None


def speaker(text: object) -> str | None:
    """A speaker's name; None for what stands for none."""
    if text is None or isinstance(text, (bool, float, dict, list)):
        return None
    name = one_line(str(text)[:400])[:80].strip()
    return None if name in _NOBODY else name
