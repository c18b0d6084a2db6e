"""Utterances from a transcript with times: one per turn, long ones cut."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ml.alignment.aligner import Aligner, NotAligned, Piece, Placed
from ml.alignment.draft import Draft
from ml.alignment.loudness import channels_of
from ml.alignment.quality import MISMATCH, NO_ALIGNER, NOT_ALIGNED
from ml.alignment.tokens import tokens
from ml.alignment.types import Phone, Syllable, Word
from ml.audio.reader import Audio
from ml.transcripts import Turn

#: Given times are rough; the aligner looks this far around them.
MARGIN_S = 0.15
#: Pieces that are handed to the aligner at once.
TOGETHER = 16


def from_timed_turns(
    audio: Audio, turns: Sequence[Turn], aligner: Aligner, language: str, max_s: float
) -> tuple[list[Draft] | None, str | None]:
    """One utterance per turn; None and a reason when most of the text is not what is said."""
    drafts: list[Draft] = []
    lost = 0
    for turn, channel in zip(turns, channels_of(audio, turns), strict=True):
        start, end = turn.start_s or 0.0, min(turn.end_s or 0.0, audio.duration_s)
        if end - start < 0.05:
            lost += 1
        else:
            drafts.append(Draft(start, end, channel, turn.speaker, text=turn.text or None))
    if not aligner.can(language):
        return [p for d in drafts for p in cut(replace(d, quality=NO_ALIGNER if d.text else None), max_s)], None
    spoken = [i for i, draft in enumerate(drafts) if draft.text]
    failed = 0
    for begin in range(0, len(spoken), TOGETHER):
        group = spoken[begin : begin + TOGETHER]
        for i, placed in zip(group, aligner.align([_piece(audio, drafts[i], language) for i in group]), strict=True):
            failed += isinstance(placed, NotAligned)
            drafts[i] = _with(drafts[i], placed)
    if failed + lost > (len(spoken) + lost) / 2:
        return None, MISMATCH
    return [piece for draft in drafts for piece in cut(draft, max_s)], None


def _piece(audio: Audio, draft: Draft, language: str) -> Piece:
    samples = audio.read(draft.channel, max(0.0, draft.start_s - MARGIN_S), draft.end_s + MARGIN_S)
    return Piece(samples, tuple(tokens(draft.text or "")), language)


def _with(draft: Draft, placed: Placed | NotAligned) -> Draft:
    if isinstance(placed, NotAligned):
        return replace(draft, quality=NOT_ALIGNED)
    at = moved(placed, max(0.0, draft.start_s - MARGIN_S))
    return replace(draft, words=at.words, phones=at.phones, syllables=at.syllables)


def moved(placed: Placed, begin: float) -> Placed:
    """What was placed, in the recording's time."""

    def at(value: float) -> float:
        return round(value + begin, 3)

    return Placed(
        tuple(Word(w.text, at(w.start_s), at(w.end_s), w.confidence) for w in placed.words),
        placed.phones and tuple(Phone(p.label, at(p.start_s), at(p.end_s)) for p in placed.phones),
        placed.syllables and tuple(Syllable(s.label, at(s.start_s), at(s.end_s)) for s in placed.syllables),
        placed.fit,
    )


def cut(draft: Draft, max_s: float) -> list[Draft]:
    """Cut a long turn between words nearest to even parts; without word times, the text is shared out by time."""
    parts = int(np.ceil((draft.end_s - draft.start_s) / max_s))
    if parts < 2:
        return [draft]
    step = (draft.end_s - draft.start_s) / parts
    written = (draft.text or "").split()
    pieces = []
    for index in range(parts):
        start, end = draft.start_s + index * step, draft.start_s + (index + 1) * step
        if index == parts - 1:
            end = draft.end_s
        if draft.words is not None:
            last = float("inf") if index == parts - 1 else end
            words = tuple(w for w in draft.words if start <= (w.start_s + w.end_s) / 2 < last)
            phones = draft.phones and tuple(p for p in draft.phones if start <= (p.start_s + p.end_s) / 2 < last)
            syllables = draft.syllables and tuple(
                s for s in draft.syllables if start <= (s.start_s + s.end_s) / 2 < last
            )
            text = " ".join(word.text for word in words) or None
            piece = replace(draft, text=text, words=words, phones=phones, syllables=syllables)
        else:
            share = written[len(written) * index // parts : len(written) * (index + 1) // parts]
            piece = replace(draft, text=" ".join(share) or None)
        pieces.append(replace(piece, start_s=start, end_s=end))
    return pieces
