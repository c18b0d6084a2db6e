"""Turns out of words and phones that have times of their own."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter

from ml.transcripts.types import Said, Turn

#: A pause between words that ends a turn, and one that does so after a sentence; as for text without times.
PAUSE_S, SENTENCE_PAUSE_S = 0.6, 0.2
_start = attrgetter("start_s")


def _middle(item: Said) -> float:
    return (item.start_s + item.end_s) / 2


@dataclass(frozen=True, slots=True)
class Spoken:
    """A word and who says it."""

    said: Said
    speaker: str | None = None
    channel: int | None = None


def turns_of(
    words: Iterable[Spoken],
    phones: Sequence[Said] | None = None,
    text_of: Callable[[Sequence[Spoken]], str] | None = None,
) -> list[Turn]:
    """Words as turns, cut where the speaker changes and at pauses.

    `phones` are of the same (one) speaker. `text_of` gives the text of a run of words; without it, they are joined.
    """
    voices: dict[tuple[str | None, int | None], list[Spoken]] = {}
    # Channels run beside each other; speakers on one channel take turns.
    for word in words:
        voices.setdefault((None, word.channel), []).append(word)
    turns = []
    for own in voices.values():
        own.sort(key=lambda word: word.said.start_s)
        first = 0
        for index in range(1, len(own) + 1):
            if index == len(own) or _ends(own[index - 1], own[index]):
                turns.append(_turn(own[first:index], text_of))
                first = index
    return with_parts(turns, phones=phones) if phones else turns


def _ends(last: Spoken, following: Spoken) -> bool:
    pause = following.said.start_s - last.said.end_s
    sentence = last.said.text.rstrip("\"'”’)").endswith((".", "?", "!", "…", "。", "？", "！"))
    return last.speaker != following.speaker or pause >= (SENTENCE_PAUSE_S if sentence else PAUSE_S)


def _turn(run: Sequence[Spoken], text_of: Callable[[Sequence[Spoken]], str] | None) -> Turn:
    words = tuple(word.said for word in run)
    return Turn(
        text=text_of(run) if text_of else " ".join(word.text for word in words),
        start_s=words[0].start_s,
        end_s=max(word.end_s for word in words),
        speaker=run[0].speaker,
        channel=run[0].channel,
        words=words,
    )


def turns_of_phones(phones: Sequence[Said], speaker: str | None = None) -> list[Turn]:
    """Turns without text where only phones are known: speech between silences."""
    voiced = [Spoken(phone, speaker) for phone in phones if phone.text != "SIL"]
    return [replace(turn, words=None) for turn in turns_of(voiced, phones, lambda _: "")]


def with_parts(
    turns: Sequence[Turn], words: Sequence[Said] | None = None, phones: Sequence[Said] | None = None
) -> list[Turn]:
    """The turns with the words and phones whose middle they hold. A turn without any keeps None."""
    in_order = [sorted(part or (), key=_middle) for part in (words, phones)]
    middles = [[_middle(item) for item in part] for part in in_order]
    found = []
    for turn in turns:
        start, end = turn.start_s or 0.0, turn.end_s or 0.0
        own = [
            tuple(sorted(part[bisect_right(middle, start) : bisect_right(middle, end)], key=_start))
            for part, middle in zip(in_order, middles, strict=True)
        ]
        found.append(replace(turn, words=own[0] or turn.words, phones=own[1] or turn.phones))
    return found
