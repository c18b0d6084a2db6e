"""TIMIT's `.wrd` and `.phn`: lines of `first-sample end-sample label` at 16 kHz (TIMIT documentation, 1990)."""

from ml.transcripts import cleaning
from ml.transcripts.assembling import Spoken, turns_of, turns_of_phones
from ml.transcripts.source import Reading, Source
from ml.transcripts.times import BadTimes, seconds, word_span
from ml.transcripts.types import Said

SAMPLE_S = 1 / 16_000


def read_words(source: Source) -> Reading:
    """The words, as turns cut at pauses."""
    return Reading(turns_of(Spoken(item) for item in _items(source) if cleaning.word(item.text)))


def read_phones(source: Source) -> Reading:
    """Turns without text, with phones."""
    return Reading(turns_of_phones(phones(source)))


def phones(source: Source) -> list[Said]:
    """The phones; every kind of silence is "SIL"."""
    labelled = ((item, cleaning.phone(item.text)) for item in _items(source))
    return [Said(label, item.start_s, item.end_s) for item, label in labelled if label]


def _items(source: Source) -> list[Said]:
    found = []
    for number, line in source.lines():
        fields = line.split()
        if len(fields) != 3:
            source.problem(number, "it is not `start end label`")
            continue
        try:
            start, end = word_span(seconds(fields[0], SAMPLE_S), seconds(fields[1], SAMPLE_S))
        except BadTimes as exc:
            source.problem(number, str(exc))
            continue
        found.append(Said(cleaning.one_line(fields[2]), start, end))
    return found
