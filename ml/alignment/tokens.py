"""The words of a text: what an aligner is given, and where they stand in what was written."""

from collections.abc import Sequence
from dataclasses import dataclass

import regex

#: In brackets of these kinds transcripts note what is heard besides words: [laughter], <noise>.
ANNOTATION = r"\[[^\[\]]{0,80}\]|<[^<>]{0,80}>"
#: Letters or digits with what belongs inside a word: don't, 3.14, 1,000, 9:30, U.S, twenty-one, AT&T, a@b; signs of
#: money and per cent beside them; a sign that is spoken alone. \p{M}: vowel signs of Indic scripts are no letters.
_TOKEN = regex.compile(
    rf"""(?:{ANNOTATION})(*SKIP)(*FAIL)
       | [$€£¥\#]? (?=[\p{{L}}\p{{N}}]) [\p{{L}}\p{{N}}\p{{M}}]+
         (?: (?: ['’&@+-] | (?<=\d)[.,:](?=\d) | (?<=\b\p{{L}})\.(?=\p{{L}}\b) ) [\p{{L}}\p{{N}}\p{{M}}]+ )*
         (?: [%€£$°] )?
       | (?<!\S) [&@%+=] (?!\S)""",
    regex.VERBOSE,
)
_SENTENCE_END = regex.compile(r"[.?!…。？！]+[\"'”’»)\]]*(?=\s|$)|[。？！]")


@dataclass(frozen=True, slots=True)
class Token:
    """A word as written, `[start, end)` in the text it stands in, and whether a sentence ends with it."""

    text: str
    start: int
    end: int
    ends_sentence: bool


def scan(text: str) -> list[Token]:
    """The words of a text, without punctuation and without notes in brackets."""
    found = list(_TOKEN.finditer(text))
    result = []
    for index, match in enumerate(found):
        last = index + 1 == len(found)
        between = text[match.end() : len(text) if last else found[index + 1].start()]
        result.append(Token(match.group(), match.start(), match.end(), last or bool(_SENTENCE_END.search(between))))
    return result


def tokens(text: str) -> list[str]:
    """The words of a text as written."""
    return [match.group() for match in _TOKEN.finditer(text)]


def excerpt(text: str, words: Sequence[Token], first: int, last: int) -> str:
    """What is written from word `first` up to word `last` (exclusive), with the punctuation that belongs to it."""
    start = _cut(text, words[first - 1].end, words[first].start) if first else 0
    end = _cut(text, words[last - 1].end, words[last].start) if last < len(words) else len(text)
    return text[start:end].strip()


def _cut(text: str, start: int, end: int) -> int:
    """Between two words, where the punctuation of the first ends and that of the second begins: the first blank."""
    for position in range(start, end):
        if text[position].isspace():
            return position
    return end
