"""From annotators' words and points to classes and to the scale from 1 to 5."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ml.corpora.generic import LABELS
from ml.corpora.types import AFFECT_RANGE, shown
from ml.corpora.votes import normalised, shares
from ml.emotions import EMOTIONS
from ml.labelling.errors import MappingInvalid

#: What a word may be mapped to beside a class, and what an annotator may say: a judgement, but none to be learnt.
NO_CLASS = "none"
_KNOWN = {**LABELS, NO_CLASS: NO_CLASS}
#: What stands between the words of somebody who heard more than one class.
_SEVERAL = re.compile(r"\s*[;+|/,]\s*")


@dataclass(frozen=True, slots=True)
class Said:
    """A label as far as it was understood; all None when it was mapped to no class."""

    label: str | None
    shares: tuple[float, ...] | None
    source_label: str | None


@dataclass(frozen=True, slots=True)
class Words:
    """What the words and points of one import mean; `scale` is the lowest and highest point of arousal and valence."""

    scale: tuple[float, float] = AFFECT_RANGE
    also: Mapping[str, str] = field(default_factory=dict)

    def emotion(self, words: Sequence[str]) -> Said:
        """One annotator's words: one is a label, several share his vote. Raises `ValueError` for an unknown one."""
        known = {**_KNOWN, **self.also}
        named = [word.strip().lower() for word in words if word.strip()]
        for word in named:
            if word not in known:
                raise ValueError(f"{shown(word)} is none of the classes; say what it means with --map")
        classes = [known[word] for word in named if known[word] != NO_CLASS]
        source = ";".join(named) or None
        if len(set(classes)) == 1:
            return Said(classes[0], None, source)
        return Said(None, shares([classes]) if classes else None, source)

    def votes(self, counts: Mapping[str, float], source: str | None = None) -> Said:
        """Votes or shares by word, and the class with most of them, unless it is a tie; raises `ValueError`."""
        known = {**_KNOWN, **self.also}
        classes = dict.fromkeys(EMOTIONS, 0.0)
        for word, count in counts.items():
            if word.strip().lower() not in known:
                raise ValueError(f"{shown(word)} is none of the classes; say what it means with --map")
            if not 0 <= count < float("inf"):
                raise ValueError("votes are no numbers of people or shares")
            if (emotion := known[word.strip().lower()]) != NO_CLASS:
                classes[emotion] += count
        best = [emotion for emotion in EMOTIONS if classes[emotion] == max(classes.values())]
        found = normalised(classes)
        return Said(best[0] if found is not None and len(best) == 1 else None, found, source)

    def points(self, value: float, name: str) -> float:
        """A value of arousal or valence on the scale from 1 to 5; raises `ValueError` when it is not on its own."""
        low, high = self.scale
        if not low <= value <= high:
            raise ValueError(f"{name} is not from {low:g} to {high:g}; say which scale it is with --scale")
        first, last = AFFECT_RANGE
        return first + (value - low) / (high - low) * (last - first)


def several(text: str) -> list[str]:
    """The words of a cell or an interval, which may hold several: `angry; sad`."""
    return [word for word in _SEVERAL.split(text.strip()) if word]


def read_words(maps: Sequence[str] = (), scale: str | None = None) -> Words:
    """`word=class` of each `--map`, and `lowest-highest` of `--scale`; raises `MappingInvalid`."""
    also = {}
    for given in maps:
        word, sign, meaning = given.rpartition("=")
        meaning = meaning.strip().lower()
        if not sign or not word.strip() or meaning not in _KNOWN:
            raise MappingInvalid(f"“{given}” maps no word to one of {', '.join(EMOTIONS)} or {NO_CLASS}")
        also[word.strip().lower()] = _KNOWN[meaning]
    return Words(_scale(scale) if scale is not None else AFFECT_RANGE, also)


def _scale(given: str) -> tuple[float, float]:
    match = re.fullmatch(r"\s*(-?\d+(?:\.\d+)?)\s*(?:-|–|\.\.|:)\s*(-?\d+(?:\.\d+)?)\s*", given)
    if match is None or float(match[1]) >= float(match[2]):
        raise MappingInvalid(f"“{given}” is no scale")
    return float(match[1]), float(match[2])
