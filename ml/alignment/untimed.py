"""Utterances from a transcript without times: its text is placed in the sound, then cut at sentence ends and pauses."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from ml.alignment.aligner import Aligner
from ml.alignment.draft import Draft
from ml.alignment.long_text import Found, place_long
from ml.alignment.loudness import loudest
from ml.alignment.moving import between
from ml.alignment.quality import MISMATCH, NO_ALIGNER, NOT_IN_TRANSCRIPT
from ml.alignment.speech_time import SpeechTime
from ml.alignment.splitting import cut, share
from ml.alignment.tokens import Token, excerpt, scan
from ml.alignment.types import Word
from ml.audio.reader import Audio
from ml.audio.vad import Segment, find_speech
from ml.transcripts import Turn

#: A pause between words that ends an utterance, and one that does so after a sentence.
PAUSE_S, SENTENCE_PAUSE_S = 0.6, 0.2
#: So many words in a row that were not found end an utterance; fewer (a sign, a slip) stay in its text.
MISSING_WORDS = 3
#: Speech that is in no utterance is one of its own when it is this long.
MIN_UNWRITTEN_S = 1.0


@dataclass(frozen=True, slots=True)
class _Written:
    """A word of the transcript: the turn it is in, and its place there."""

    turn: int
    index: int
    token: Token


def from_plain_text(
    audio: Audio, turns: Sequence[Turn], aligner: Aligner, language: str, max_s: float
) -> tuple[list[Draft] | None, str | None]:
    """Utterances cut from a text that is searched in the whole recording; None and a reason when it is not in it.

    Speech that the text does not hold becomes utterances without text; words that are not said are left out.
    """
    tokens = [scan(turn.text) for turn in turns]
    written = [_Written(t, i, token) for t, own in enumerate(tokens) for i, token in enumerate(own)]
    speech = SpeechTime(find_speech(audio, None).segments)
    found = place_long(
        lambda start, end: audio.read(None, start, min(end, audio.duration_s)),
        speech,
        [word.token.text for word in written],
        aligner,
        language,
    )
    placed = [(i, word) for i, word in enumerate(found.words) if word is not None]
    covered_s = sum(word.end_s - word.start_s for _, word in placed)
    if found.share < 0.5 and covered_s < speech.total / 2:
        return None, MISMATCH
    drafts = [
        part
        for first, last in _stretches(written, placed, turns)
        for part in cut(_draft(audio, turns, tokens, written, placed[first:last], found), max_s)
    ]
    return drafts + _unwritten(audio, speech, drafts, max_s), None


def _stretches(
    written: Sequence[_Written], placed: Sequence[tuple[int, Word]], turns: Sequence[Turn]
) -> list[tuple[int, int]]:
    """Runs of placed words that one speaker says without a pause."""
    firsts = [0]
    for i in range(1, len(placed)):
        (before, last), (here, word) = placed[i - 1], placed[i]
        pause = word.start_s - last.end_s
        turned = turns[written[here].turn].speaker != turns[written[before].turn].speaker
        ended = written[before].token.ends_sentence and pause >= SENTENCE_PAUSE_S
        if pause >= PAUSE_S or turned or ended or here - before > MISSING_WORDS:
            firsts.append(i)
    return list(zip(firsts, [*firsts[1:], len(placed)], strict=True)) if placed else []


def _draft(
    audio: Audio,
    turns: Sequence[Turn],
    tokens: Sequence[Sequence[Token]],
    written: Sequence[_Written],
    own: Sequence[tuple[int, Word]],
    found: Found,
) -> Draft:
    start, end = own[0][1].start_s, min(own[-1][1].end_s, audio.duration_s)
    first, last = written[own[0][0]], written[own[-1][0]]
    texts = []
    for turn in range(first.turn, last.turn + 1):
        begin = first.index if turn == first.turn else 0
        until = last.index + 1 if turn == last.turn else len(tokens[turn])
        texts.append(excerpt(turns[turn].text, tokens[turn], begin, until) if until else "")
    return Draft(
        start,
        end,
        loudest(audio, start, end),
        turns[first.turn].speaker,
        text=" ".join(filter(None, texts)),
        words=tuple(word for _, word in own),
        phones=between(found.phones, start, end) or None,
        syllables=between(found.syllables, start, end) or None,
    )


def _unwritten(audio: Audio, speech: SpeechTime, drafts: Sequence[Draft], max_s: float) -> list[Draft]:
    rest: list[Segment] = []
    taken = iter(sorted((draft.start_s, draft.end_s) for draft in drafts))
    busy = next(taken, None)
    for start, end in speech.segments:
        while busy is not None and busy[1] <= start:
            busy = next(taken, None)
        at = start
        while busy is not None and busy[0] < end:
            if busy[0] > at:
                rest.append((at, busy[0]))
            at = max(at, busy[1])
            if busy[1] > end:
                break
            busy = next(taken, None)
        if at < end:
            rest.append((at, end))
    return [
        part
        for start, end in rest
        if end - start >= MIN_UNWRITTEN_S
        for part in cut(Draft(start, end, loudest(audio, start, end), quality=NOT_IN_TRANSCRIPT), max_s)
    ]


def shared_out(drafts: Sequence[Draft], turns: Sequence[Turn]) -> list[Draft]:
    """Utterances that voice activity found, with a text that no aligner can place, in order and by their length."""
    drafts = sorted(drafts, key=lambda draft: (draft.start_s, draft.end_s))
    text = " ".join(turn.text for turn in turns)
    parts = share(text, [draft.end_s - draft.start_s for draft in drafts])
    speakers = _speakers(parts, turns)
    return [
        replace(draft, text=part or None, speaker=speaker, quality=NO_ALIGNER if part else draft.quality)
        for draft, part, speaker in zip(drafts, parts, speakers, strict=True)
    ]


def _speakers(parts: Sequence[str], turns: Sequence[Turn]) -> list[str | None]:
    """Who says the middle of each part."""
    ends = list(accumulate(len(turn.text) + 1 for turn in turns))
    speakers: list[str | None] = []
    position = 0
    for part in parts:
        turn = bisect_right(ends, position + len(part) // 2)
        speakers.append(turns[turn].speaker if turn < len(turns) else None)
        position += len(part) + 1
    return speakers
