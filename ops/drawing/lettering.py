"""Text that can be drawn: fonts that have its letters, or the same in Latin letters where no font has them."""

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

#: Comes with matplotlib, so it is always there.
BASE = "DejaVu Sans"
#: Families that come with it and hold boxes or mathematical symbols.
_SYMBOLS = ("Last Resort", "STIX", "cm")


@dataclass(frozen=True, slots=True)
class Lettering:
    """Font families, first choice first, and the letters that none of them has."""

    families: tuple[str, ...]
    missing: frozenset[str]

    def __call__(self, text: str) -> str:
        """The text on one line; words with letters that cannot be drawn are transliterated as a whole."""
        if not self.missing & set(text):
            return " ".join(text.split())
        from anyascii import anyascii

        return " ".join(anyascii(word) if self.missing & set(word) else word for word in text.split())


def lettering(texts: Iterable[str]) -> Lettering:
    """Choose fonts of this machine for some texts; other fonts than the base are looked at only when it lacks letters.

    matplotlib draws an empty box for a letter that it has no font for, which tells a reader nothing.
    """
    wanted = {letter for text in texts for letter in text if not letter.isspace() and letter.isprintable()}
    files = _files()
    families = [BASE]
    missing = wanted - _letters(files[BASE])
    for family in sorted(files.keys() - {BASE}) if missing else ():
        found = missing & _letters(files[family])
        if found:
            families.append(family)
            missing -= found
        if not missing:
            break
    return Lettering(tuple(families), frozenset(missing))


def _files() -> dict[str, str]:
    """Font files by family, upright and of ordinary weight where there is one; without fonts of symbols."""
    from matplotlib.font_manager import fontManager

    upright = [font for font in fontManager.ttflist if font.style == "normal" and not font.name.startswith(_SYMBOLS)]
    preferred_last = sorted(upright, key=lambda font: (font.name, font.weight != 400, font.fname), reverse=True)
    return {font.name: font.fname for font in preferred_last}


@functools.lru_cache(maxsize=256)
def _letters(file: str) -> frozenset[str]:
    from matplotlib.font_manager import get_font

    try:
        font: Any = get_font(file)
    except (OSError, RuntimeError, ValueError):
        return frozenset()
    return frozenset(map(chr, font.get_charmap()))
