"""Gentle's JSON: the text, and where each word of it is in the sound, with phones.

Words that were not found have no time: they stay in the text of the turn around them. Phones ("hh_B") have durations
that follow on from the word's start; words that are not in Gentle's dictionary have one phone, "oov_S".
"""

from collections.abc import Sequence
from typing import Any

from ml.transcripts import cleaning
from ml.transcripts.assembling import Spoken, turns_of
from ml.transcripts.formats.fields import entries, mapping, text
from ml.transcripts.source import Reading, Source
from ml.transcripts.times import BadTimes, seconds, word_span
from ml.transcripts.types import Said


def is_gentle(document: Any) -> bool:
    """Whether there are words with Gentle's `case`."""
    whole = mapping(document)
    return isinstance(whole.get("words"), list) and any(
        "case" in word or "alignedWord" in word for _, word in entries(whole["words"], "")
    )


def read(source: Source, document: Any) -> Reading:
    """Turns cut at pauses, with the text as it was given to Gentle."""
    written = text(document.get("transcript"))
    words: list[Spoken] = []
    phones: list[Said] = []
    offsets: dict[Said, tuple[int, int]] = {}
    for where, item in entries(document["words"], "words"):
        if item.get("case", "success") != "success":
            continue
        label = cleaning.word(text(item.get("word")))
        if label is None:
            continue
        try:
            word = Said(label, *word_span(seconds(item.get("start")), seconds(item.get("end"))))
            phones += _phones(item.get("phones"), word.start_s)
        except BadTimes as exc:
            source.problem(where, str(exc))
            continue
        words.append(Spoken(word))
        begin, end = item.get("startOffset"), item.get("endOffset")
        if isinstance(begin, int) and isinstance(end, int) and 0 <= begin < end <= len(written):
            offsets[word] = (begin, end)

    def text_of(run: Sequence[Spoken]) -> str:
        if run[0].said in offsets and run[-1].said in offsets:
            begin, end = offsets[run[0].said][0], offsets[run[-1].said][1]
            # What closes the sentence is not part of its last word.
            while end < len(written) and not written[end].isspace() and not written[end].isalnum():
                end += 1
            return cleaning.said(written[begin:end])
        return " ".join(word.said.text for word in run)

    return Reading(turns_of(words, phones, text_of))


def _phones(items: object, start_s: float) -> list[Said]:
    found, at = [], start_s
    for _, item in entries(items, ""):
        length = seconds(item.get("duration"))
        label = cleaning.phone(text(item.get("phone")))
        if label and length > 0:
            found.append(Said(label, *word_span(at, at + length)))
        at += max(length, 0.0)
    return found
