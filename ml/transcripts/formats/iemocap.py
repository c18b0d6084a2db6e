"""IEMOCAP's forced alignment, which Sphinx 3 wrote: `.wdseg` words, `.phseg` phones, `.syseg` syllables.

Lines are `first-frame last-frame score label`, frames of 10 ms, the last one included. The score is an acoustic log
likelihood and no confidence. A phone is written with its neighbours (`AH(HH,L) i` or `AH HH L i`); only itself counts.
`++LAUGHTER++` and the like are no words; as phones they keep their name, since source A counts them among the phones.
"""

import re
from dataclasses import replace

from ml.transcripts import cleaning
from ml.transcripts.assembling import Spoken, turns_of, turns_of_phones
from ml.transcripts.source import Reading, Source
from ml.transcripts.times import BadTimes, seconds, span
from ml.transcripts.types import Said

FRAME_S = 0.01
_LINE = re.compile(r"\s*(\d{1,9})\s+(\d{1,9})\s+-?\d{1,12}\s+(\S.*)")
_OTHER = re.compile(r"\s*(?:SFrm\s|Total score)", re.IGNORECASE)


def read_words(source: Source) -> Reading:
    """The words, as turns cut at pauses."""
    words = ((item, cleaning.word(item.text)) for item in _items(source))
    return Reading(turns_of(Spoken(Said(text, w.start_s, w.end_s)) for w, text in words if text))


def read_phones(source: Source) -> Reading:
    """Turns without text, with phones."""
    return Reading(turns_of_phones(phones(source)))


def phones(source: Source) -> list[Said]:
    """The phones; every kind of silence is "SIL"."""
    labelled = ((item, cleaning.phone(item.text.split("(")[0].split()[0])) for item in _items(source))
    return [Said(label, item.start_s, item.end_s) for item, label in labelled if label]


def read_syllables(source: Source) -> Reading:
    """Turns without text: when somebody speaks, and no more, since syllables belong to words."""
    spoken = ((item, cleaning.word(item.text)) for item in _items(source))
    turns = turns_of_phones([Said(label, item.start_s, item.end_s) for item, label in spoken if label])
    return Reading([replace(turn, phones=None) for turn in turns])


def _items(source: Source) -> list[Said]:
    found = []
    for number, line in source.lines():
        if _OTHER.match(line):
            continue
        match = _LINE.match(line)
        if match is None:
            source.problem(number, "it is not `first-frame last-frame score label`")
            continue
        try:
            start, end = span(seconds(match.group(1), FRAME_S), seconds(int(match.group(2)) + 1, FRAME_S))
        except BadTimes as exc:
            source.problem(number, str(exc))
            continue
        found.append(Said(cleaning.one_line(match.group(3)), start, end))
    return found
