"""Praat's TextGrid (Praat manual, "TextGrid file formats"), long and short, also as ELAN exports it.

Read as Praat reads it: only strings, numbers and flags that stand free count, everything else is decoration. So one
reader reads both forms and what editors make of them. praatio is not used: it names no lines, drops the rest of a
short file after the first mistake without a word, and finds the text of long files with expressions whose cost grows
with the square of a tier.

What the tiers mean is told from their names; points have no length and are left out:

- `words`, `word`, `wrd`, `ort`…: words with times. `phones`, `phone`, `phn`, `segments`, `mau`…: phones.
- `utterances`, `sentences`, `phrases`, `turns`, `text`, `transcript`…: turns of somebody unnamed.
- `syllables`, `notes`, `pos`…: left out.
- `Ann - words`, `Ann_phones`, `words (Ann)`: the same of the speaker Ann. Any other name is a speaker, and the tier
  that speaker's turns.

Where a speaker has words but no turns, turns are cut at pauses.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from ml.transcripts import cleaning
from ml.transcripts.assembling import Spoken, turns_of, turns_of_phones, with_parts
from ml.transcripts.source import MAX_ENTRIES, Reading, Source
from ml.transcripts.times import BadTimes, seconds, span
from ml.transcripts.types import Said, Turn

_TOKEN = re.compile(
    r'"(?P<text>(?:[^"]++|"")*+)"'
    r"|(?P<flag><[^>\s]{1,20}>)"
    # A number stands free: not `[1]`, not the `2` of `item2`.
    r"|(?<![^\s=])(?P<number>[-+]?\d{1,40}(?:[.,]\d{1,40})?(?:[eE][-+]?\d{1,3})?)(?![^\s])"
    r"|(?P<open>\")"
)
_KINDS = {
    "word": "words|word|wrd|wrds|ort|ort-mau|orthography|tokens?",
    "phone": "phones?|phn|phns|phonemes?|segments?|mau|kan-mau|ipa",
    "turn": "utterances?|utt|utts|sentences?|phrases?|turns?|text|texts|trans|transcripts?|transcriptions?|ipus?|trs",
    "other": "syllables?|syl|syll|sylls|notes?|comments?|pos|translations?|tones?|breaks?|misc|events?|silences?|vad",
}
_NAME = re.compile("|".join(f"(?P<{kind}>{names})" for kind, names in _KINDS.items()), re.IGNORECASE)
_BEFORE = re.compile(rf"(?P<speaker>.*?)\s*[-_:./|]\s*(?P<level>{'|'.join(_KINDS.values())})", re.IGNORECASE)
_AFTER = re.compile(rf"(?P<level>{'|'.join(_KINDS.values())})\s*\(\s*(?P<speaker>.+?)\s*\)", re.IGNORECASE)


@dataclass(slots=True)
class _Voice:
    """What the tiers of one speaker hold."""

    turns: list[Turn] = field(default_factory=list)
    words: list[Said] = field(default_factory=list)
    phones: list[Said] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    value: str
    line: int


class _Tier:
    """A tier while it is read: the numbers that stand before a text are its times."""

    def __init__(self, name: str, line: int, intervals: bool) -> None:
        self.name, self.line, self.intervals = name, line, intervals
        self.rows: list[tuple[float, float, str]] = []
        self.numbers: list[str] = []
        self.texts = 0
        self.announced: str | None = None

    def number(self, value: str) -> None:
        """Take a number; the first three are the tier's start, its end, and how many intervals follow."""
        self.numbers.append(value)
        if self.announced is None and len(self.numbers) == 3:
            self.announced, self.numbers = value, []

    def text(self, source: Source, token: _Token) -> None:
        """Take a text, which ends an interval."""
        numbers, self.numbers = self.numbers[-2:], []
        self.texts += 1
        if not self.intervals:
            return
        try:
            if len(numbers) < 2:
                raise BadTimes("the interval has no start and end")
            start, end = (seconds(number.replace(",", ".")) for number in numbers)
            # Praat's -0, and what is left of it when tiers are cut.
            self.rows.append((*span(max(start, 0.0) if start > -0.01 else start, end), token.value))
        except BadTimes as exc:
            if token.value.strip():
                source.problem(token.line, str(exc))

    def close(self, source: Source) -> tuple[str, list[tuple[float, float, str]]]:
        """Name and intervals, after a look whether all are there."""
        if self.announced is not None and self.announced != str(self.texts) and self.intervals:
            source.problem(self.line, f"the tier does not hold as many intervals as it announces, but {self.texts}")
        return self.name, self.rows


def read(source: Source) -> Reading:
    """Turns of every speaker, with the words and phones that the file gives times for."""
    voices: dict[str | None, _Voice] = {}
    count = 0
    for name, rows in tiers(source):
        count += 1
        speaker, kind = _meaning(name)
        voice = voices.setdefault(speaker, _Voice())
        for start, end, text in rows:
            if kind == "word":
                if (word := cleaning.word(text)) is not None:
                    voice.words.append(Said(word, start, end))
            elif kind == "phone":
                if (phone := cleaning.phone(text)) is not None:
                    voice.phones.append(Said(phone, start, end))
            elif kind == "turn" and (said := cleaning.said(text)):
                voice.turns.append(Turn(said, start, end, speaker))
    if not count:
        raise source.unreadable(None, "it holds no tier of intervals")
    turns: list[Turn] = []
    for speaker, voice in voices.items():
        if voice.turns:
            turns += with_parts(voice.turns, voice.words, voice.phones)
        elif voice.words:
            turns += turns_of((Spoken(word, speaker) for word in voice.words), voice.phones)
        else:
            turns += turns_of_phones(voice.phones, speaker)
    return Reading(turns)


def _meaning(name: str) -> tuple[str | None, str]:
    """Whose tier it is, and what it holds: "word", "phone", "turn" or "other"."""
    name = cleaning.one_line(name).strip("\"'")
    whole = _NAME.fullmatch(name)
    if whole is not None:
        return None, str(whole.lastgroup)
    match = _BEFORE.fullmatch(name) or _AFTER.fullmatch(name)
    if match is not None:
        level = _NAME.fullmatch(match.group("level"))
        return cleaning.speaker(match.group("speaker")), str(level.lastgroup) if level else "turn"
    return cleaning.speaker(name), "turn"


def tiers(source: Source) -> Iterator[tuple[str, list[tuple[float, float, str]]]]:
    """Name of each tier of intervals, and its intervals: start, end, text. What is not well formed is a problem."""
    tier: _Tier | None = None
    kind: str | None = None
    for token in _tokens(source):
        if kind is not None:
            if tier is not None and tier.intervals:
                yield tier.close(source)
            tier, kind = _Tier(token.value if token.kind == "text" else "", token.line, kind == "IntervalTier"), None
        elif token.kind == "text" and token.value in ("IntervalTier", "TextTier") and not (tier and tier.numbers):
            kind = token.value
        elif tier is not None and token.kind == "number":
            tier.number(token.value)
        elif tier is not None and token.kind == "text":
            tier.text(source, token)
    if tier is not None and tier.intervals:
        yield tier.close(source)


def _tokens(source: Source) -> Iterator[_Token]:
    line, seen = 1, 0
    for count, match in enumerate(_TOKEN.finditer(source.text)):
        line, seen = line + source.text.count("\n", seen, match.start()), match.start()
        kind = str(match.lastgroup)
        if kind == "open":
            source.problem(line, "a text has no closing quote; the rest is left out")
            return
        if count > 3 * MAX_ENTRIES:
            raise source.unreadable(line, f"it holds more than {MAX_ENTRIES} intervals")
        yield _Token(kind, match.group("text").replace('""', '"') if kind == "text" else match.group(), line)
