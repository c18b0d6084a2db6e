"""Long stretches cut into utterances, and their text with them."""

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ml.alignment.draft import Draft
from ml.alignment.moving import between
from ml.alignment.tokens import Token, excerpt, scan
from ml.alignment.types import Word


def split(words: Sequence[Word], max_s: float) -> list[int]:
    """Where to cut so that no part is longer than `max_s`: indices of first words, the leading 0 included.

    Each cut is at the longest pause around the middle. A single word longer than that stays whole.
    """
    cuts = [0]
    todo = [(0, len(words))]
    while todo:
        first, last = todo.pop()
        if last - first < 2 or words[last - 1].end_s - words[first].start_s <= max_s:
            continue
        begin, length = words[first].start_s, words[last - 1].end_s - words[first].start_s

        def worth(i: int, begin: float = begin, length: float = length) -> float:
            # A pause of half a second makes up for lying at a quarter instead of in the middle.
            return words[i].start_s - words[i - 1].end_s - 2 * abs((words[i].start_s - begin) / length - 0.5)

        at = max(range(first + 1, last), key=worth)
        cuts.append(at)
        todo += [(first, at), (at, last)]
    return sorted(cuts)


def indices(written: Sequence[Token], words: Sequence[Word]) -> list[int] | None:
    """Which of the written words each of the placed ones is; None when they are not all there in order."""
    found = []
    position = 0
    for word in words:
        own = scan(word.text)
        plain = own[0].text if own else word.text
        while position < len(written) and written[position].text != plain:
            position += 1
        if position == len(written):
            return None
        found.append(position)
        position += max(1, len(own))
    return found


def cut(draft: Draft, max_s: float) -> list[Draft]:
    """An utterance as parts of at most `max_s`: between words where they have times, else evenly, its text shared."""
    if draft.end_s - draft.start_s <= max_s:
        return [draft]
    return _cut_between_words(draft, max_s) if draft.words else _cut_evenly(draft, max_s)


def _cut_between_words(draft: Draft, max_s: float) -> list[Draft]:
    words = draft.words or ()
    firsts = [*split(words, max_s), len(words)]
    text = draft.text or ""
    written = scan(text)
    places = indices(written, words)
    parts = []
    for first, last in itertools.pairwise(firsts):
        own = words[first:last]
        # The ends of a turn may be silent: what exceeds the limit there goes first.
        start = own[0].start_s if first else max(draft.start_s, min(own[0].start_s, own[-1].end_s - max_s))
        end = own[-1].end_s if last < len(words) else min(draft.end_s, max(own[-1].end_s, start + max_s))
        if places is None:
            said = " ".join(word.text for word in own)
        else:
            until = places[last] if last < len(words) else len(written)
            said = excerpt(text, written, places[first] if first else 0, until)
        parts.append(
            replace(
                draft,
                start_s=start,
                end_s=end,
                text=said,
                words=own,
                phones=draft.phones and between(draft.phones, start, end),
                syllables=draft.syllables and between(draft.syllables, start, end),
            )
        )
    return parts


def _cut_evenly(draft: Draft, max_s: float) -> list[Draft]:
    count = int(np.ceil((draft.end_s - draft.start_s) / max_s))
    times = np.linspace(draft.start_s, draft.end_s, count + 1)
    shares = share(draft.text or "", [1.0] * count)
    return [
        replace(draft, start_s=float(start), end_s=float(end), text=text or None)
        for start, end, text in zip(times[:-1], times[1:], shares, strict=True)
    ]


def share(text: str, durations: Sequence[float]) -> list[str]:
    """A text shared over stretches of speech in proportion to their durations: one part each, "" where none is left.

    It is cut after the sentence that ends near the right place, else between words, in scripts without blanks between
    characters.
    """
    words = scan(text)
    if len(words) < 2 * len(durations):
        # Scripts without blanks hold a sentence in a "word".
        words = [Token(c, i, i + 1, c in "。？！") for i, c in enumerate(text) if c.isalnum()] or words
        if len(words) < len(durations) or not any(ord(c) > 0x2E7F for c in text):
            words = scan(text)
    lengths = np.cumsum([word.end - word.start + 1 for word in words]) if words else np.zeros(0)
    total = float(sum(durations)) or 1.0
    parts, first, spent = [], 0, 0.0
    for index, duration in enumerate(durations):
        spent += duration
        last = len(words)
        if index + 1 < len(durations) and words:
            wanted = lengths[-1] * spent / total
            slack = 0.25 * lengths[-1] * duration / total
            last = int(np.searchsorted(lengths, wanted - 1e-9)) + 1
            if last > 1 and abs(lengths[last - 2] - wanted) < abs(lengths[min(last, len(words)) - 1] - wanted):
                last -= 1
            near = [i for i, w in enumerate(words, 1) if w.ends_sentence and abs(lengths[i - 1] - wanted) <= slack]
            last = min(near, key=lambda i: abs(lengths[i - 1] - wanted)) if near else min(last, len(words))
        last = max(first, last)
        parts.append(excerpt(text, words, first, last) if last > first else "")
        first = last
    return parts
