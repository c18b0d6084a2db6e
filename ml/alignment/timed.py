"""Utterances from a transcript with times: one per turn, long ones cut."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ml.alignment.aligner import Aligner, NotAligned, Piece, Placed
from ml.alignment.draft import Draft
from ml.alignment.long_text import place_long
from ml.alignment.loudness import channels_of
from ml.alignment.moving import later, moved
from ml.alignment.quality import MISMATCH, NO_ALIGNER, NOT_ALIGNED, NOT_HEARD
from ml.alignment.speech_time import SpeechTime
from ml.alignment.splitting import cut
from ml.alignment.tokens import tokens
from ml.alignment.types import Phone, Word
from ml.audio.decode import SILENT_PEAK
from ml.audio.reader import Audio
from ml.audio.vad import speech_segments
from ml.transcripts import Turn

#: Given times are rough; the aligner looks this far around them.
MARGIN_S = 0.15
#: Longer turns are searched window by window.
ONE_SEARCH_S = 30.0
#: Pieces that are handed to the aligner at once, and the seconds of audio they hold at most.
TOGETHER, TOGETHER_S = 64, 600.0
#: Shorter turns hold no speech.
MIN_TURN_S = 0.05


def from_timed_turns(
    audio: Audio, turns: Sequence[Turn], aligner: Aligner, language: str, max_s: float
) -> tuple[list[Draft] | None, str | None]:
    """One utterance per turn; None and a reason when most of the words are not those that are said, or no turn is left.

    Words and phones whose times the transcript gives stay as they are; the aligner places the others, up to `MARGIN_S`
    outside of their turn, whose own times stay as they are given. Turns without text count where there is any signal.
    """
    drafts: list[Draft] = []
    lost = 0
    for turn, channel in zip(turns, channels_of(audio, turns), strict=True):
        draft = _draft(turn, channel, audio.duration_s)
        if draft is None:
            lost += len(tokens(turn.text))
        elif draft.text is not None or _sounds(audio, draft):
            drafts.append(draft)
    if not drafts:
        return None, MISMATCH
    open_ones = [i for i, draft in enumerate(drafts) if draft.words is None and tokens(draft.text or "")]
    if not aligner.can(language):
        for i in open_ones:
            drafts[i] = replace(drafts[i], quality=NO_ALIGNER)
    else:
        for group in _groups(drafts, open_ones):
            for i, draft in zip(group, _place(audio, [drafts[i] for i in group], aligner, language), strict=True):
                drafts[i] = draft
        tried = sum(len(tokens(drafts[i].text or "")) for i in open_ones)
        failed = sum(len(tokens(drafts[i].text or "")) for i in open_ones if drafts[i].quality == NOT_ALIGNED)
        given = sum(len(turn.words or ()) for turn in turns)
        if failed + lost > (tried + given + lost) / 2:
            return None, MISMATCH
    return [piece for draft in drafts for piece in cut(draft, max_s)], None


def from_times_alone(audio: Audio, turns: Sequence[Turn], max_s: float) -> list[Draft]:
    """One utterance without text per timed turn, where there is any signal: somebody has heard what nothing here does.

    Short or far-off speech is lost on voice activity detection and on aligners; whoever wrote the times was there.
    """
    spoken = [replace(turn, text="", words=None, phones=None) for turn in turns if turn.timed]
    drafts = (_draft(turn, c, audio.duration_s) for turn, c in zip(spoken, channels_of(audio, spoken), strict=True))
    heard = [replace(draft, quality=NOT_HEARD) for draft in drafts if draft is not None and _sounds(audio, draft)]
    return [piece for draft in heard for piece in cut(draft, max_s)]


def _sounds(audio: Audio, draft: Draft) -> bool:
    return bool(np.abs(audio.read(draft.channel, draft.start_s, draft.end_s)).max(initial=0.0) >= SILENT_PEAK)


def _draft(turn: Turn, channel: int, duration_s: float) -> Draft | None:
    start, end = max(0.0, turn.start_s or 0.0), min(turn.end_s or 0.0, duration_s)
    if end - start < MIN_TURN_S:
        return None
    words = tuple(
        Word(said.text, said.start_s, min(said.end_s, duration_s), said.confidence)
        for said in turn.words or ()
        if said.start_s < duration_s
    )
    phones = tuple(
        Phone(said.text, said.start_s, min(said.end_s, duration_s))
        for said in turn.phones or ()
        if said.start_s < duration_s
    )
    return Draft(start, end, channel, turn.speaker, text=turn.text or None, words=words or None, phones=phones or None)


def _groups(drafts: Sequence[Draft], chosen: Sequence[int]) -> list[list[int]]:
    groups: list[list[int]] = []
    seconds = 0.0
    for i in chosen:
        length = drafts[i].end_s - drafts[i].start_s
        if not groups or len(groups[-1]) == TOGETHER or seconds + length > TOGETHER_S:
            groups.append([])
            seconds = 0.0
        groups[-1].append(i)
        seconds += length
    return groups


def _place(audio: Audio, drafts: Sequence[Draft], aligner: Aligner, language: str) -> list[Draft]:
    short = [draft for draft in drafts if draft.end_s - draft.start_s <= ONE_SEARCH_S]
    pieces = [Piece(_sound(audio, draft), tuple(tokens(draft.text or "")), language) for draft in short]
    placed = iter(aligner.align(pieces))
    return [
        _with(draft, next(placed))
        if draft.end_s - draft.start_s <= ONE_SEARCH_S
        else _searched(audio, draft, aligner, language)
        for draft in drafts
    ]


def _sound(audio: Audio, draft: Draft) -> NDArray[np.float32]:
    return audio.read(draft.channel, max(0.0, draft.start_s - MARGIN_S), draft.end_s + MARGIN_S)


def _with(draft: Draft, placed: Placed | NotAligned) -> Draft:
    if isinstance(placed, NotAligned):
        return replace(draft, quality=NOT_ALIGNED)
    at = moved(placed, later(max(0.0, draft.start_s - MARGIN_S)))
    return replace(draft, words=at.words, phones=at.phones, syllables=at.syllables)


def _searched(audio: Audio, draft: Draft, aligner: Aligner, language: str) -> Draft:
    begin = max(0.0, draft.start_s - MARGIN_S)
    segments = [(start + begin, end + begin) for start, end in speech_segments(_sound(audio, draft))]
    found = place_long(
        lambda start, end: audio.read(draft.channel, start, min(end, draft.end_s + MARGIN_S)),
        SpeechTime(segments),
        tokens(draft.text or ""),
        aligner,
        language,
    )
    if found.share < 0.5:
        return replace(draft, quality=NOT_ALIGNED)
    return replace(
        draft,
        words=tuple(word for word in found.words if word is not None),
        phones=tuple(found.phones) or None,
        syllables=tuple(found.syllables) or None,
    )
