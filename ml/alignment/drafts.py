"""Utterances before they have a speaker: from a transcript's times, from aligned plain text, or from voice activity."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.alignment.pocketsphinx import MAX_ALIGN_S, NotAligned
from ml.alignment.pronunciation import tokens
from ml.alignment.registry import Aligner
from ml.alignment.types import Phone, Word
from ml.audio.decode import SAMPLE_RATE
from ml.audio.vad import cut_to_utterances, speech_segments
from ml.transcripts import Turn

#: Notes that `quality` carries.
MISMATCH = "transcript_mismatch"
NOT_ALIGNED = "words_not_aligned"
NO_ALIGNER = "language_not_aligned"
TOO_LONG = "transcript_too_long_without_times"

#: Given times are rough; the aligner looks this far around them.
MARGIN_S = 0.15
#: A pause between words that ends an utterance, and one that does so after a sentence.
PAUSE_S, SENTENCE_PAUSE_S = 0.6, 0.2
#: More words per second of speech than anybody says.
MAX_WORDS_PER_S = 7.0


@dataclass(frozen=True, slots=True)
class Draft:
    """An utterance whose speaker may still be unknown; `channel` indexes the analysed channels."""

    start_s: float
    end_s: float
    channel: int | None = None
    speaker: str | None = None
    text: str | None = None
    words: tuple[Word, ...] | None = None
    phones: tuple[Phone, ...] | None = None
    quality: str | None = None


def from_voice_activity(channels: NDArray[np.float32], max_s: float, quality: str | None) -> list[Draft]:
    """Utterances without text, per channel."""
    duration_s = channels.shape[1] / SAMPLE_RATE
    drafts = []
    for channel, samples in enumerate(channels):
        for start, end in cut_to_utterances(speech_segments(samples), duration_s, max_s=max_s):
            drafts.append(Draft(start, end, channel, quality=quality))
    return drafts


def from_timed_turns(
    channels: NDArray[np.float32], turns: Sequence[Turn], aligner: Aligner, language: str, max_s: float
) -> tuple[list[Draft] | None, str | None]:
    """One utterance per turn (long ones are cut); None and a reason when most of the text is not what is said."""
    duration_s = channels.shape[1] / SAMPLE_RATE
    channel_of = _channels_of(channels, turns)
    drafts: list[Draft] = []
    tried = failed = 0
    for turn, channel in zip(turns, channel_of, strict=True):
        start, end = turn.start_s or 0.0, min(turn.end_s or 0.0, duration_s)
        if end - start < 0.05:
            failed, tried = failed + 1, tried + 1
            continue
        draft = Draft(start, end, channel, turn.speaker, turn.text or None)
        if turn.text and language in aligner.languages:
            tried += 1
            try:
                draft = _with_words(draft, channels[channel], aligner)
            except NotAligned:
                failed += 1
                draft = _noted(draft, NOT_ALIGNED)
        elif turn.text:
            draft = _noted(draft, NO_ALIGNER)
        drafts += _cut(draft, max_s)
    if tried and failed > tried / 2:
        return None, MISMATCH
    return drafts, None


def from_plain_text(
    channels: NDArray[np.float32], turns: Sequence[Turn], aligner: Aligner, language: str, max_s: float
) -> tuple[list[Draft] | None, str | None]:
    """Utterances cut from text aligned as a whole; None and a reason when it cannot be."""
    mix = channels.mean(axis=0)
    duration_s = len(mix) / SAMPLE_RATE
    if language not in aligner.languages:
        return None, NO_ALIGNER
    if duration_s > MAX_ALIGN_S:
        return None, TOO_LONG
    owners = [index for index, turn in enumerate(turns) for _ in tokens(turn.text)]
    written = [token for turn in turns for token in tokens(turn.text)]
    segments = speech_segments(mix)
    speech_s = sum(end - start for start, end in segments)
    if not segments or not written or len(written) > MAX_WORDS_PER_S * max(speech_s, 1.0):
        return None, MISMATCH
    try:
        words, phones = aligner.force_align(mix, written)
    except NotAligned:
        return None, MISMATCH
    if len(words) != len(written):
        return None, MISMATCH
    ends = _sentence_ends(turns)
    drafts: list[Draft] = []
    first = 0
    for index in range(1, len(words) + 1):
        if index < len(words):
            pause = words[index].start_s - words[index - 1].end_s
            full = words[index].end_s - words[first].start_s > max_s
            turned = (
                owners[index] != owners[index - 1] and turns[owners[index]].speaker != turns[owners[index - 1]].speaker
            )
            sentence = index - 1 in ends and pause >= SENTENCE_PAUSE_S
            if not (pause >= PAUSE_S or full or turned or sentence):
                continue
        own = tuple(words[first:index])
        start, end = own[0].start_s, min(own[-1].end_s, duration_s)
        drafts.append(
            Draft(
                start,
                end,
                _loudest(channels, start, end),
                turns[owners[first]].speaker,
                " ".join(word.text for word in own),
                own,
                tuple(p for p in phones if p.start_s >= start - 1e-6 and p.end_s <= end + 1e-6),
            )
        )
        first = index
    return drafts, None


def _with_words(draft: Draft, samples: NDArray[np.float32], aligner: Aligner) -> Draft:
    begin = max(0.0, draft.start_s - MARGIN_S)
    piece = samples[round(begin * SAMPLE_RATE) : round((draft.end_s + MARGIN_S) * SAMPLE_RATE)]
    words, phones = aligner.force_align(piece, tokens(draft.text or ""))
    return Draft(
        draft.start_s,
        draft.end_s,
        draft.channel,
        draft.speaker,
        draft.text,
        tuple(Word(w.text, round(w.start_s + begin, 3), round(w.end_s + begin, 3), w.confidence) for w in words),
        tuple(Phone(p.label, round(p.start_s + begin, 3), round(p.end_s + begin, 3)) for p in phones),
    )


def _noted(draft: Draft, quality: str) -> Draft:
    return Draft(draft.start_s, draft.end_s, draft.channel, draft.speaker, draft.text, quality=quality)


def _cut(draft: Draft, max_s: float) -> list[Draft]:
    """Cut a long turn between words nearest to even parts; without word times, the text is shared out by time."""
    parts = int(np.ceil((draft.end_s - draft.start_s) / max_s))
    if parts < 2:
        return [draft]
    step = (draft.end_s - draft.start_s) / parts
    written = (draft.text or "").split()
    timed = [((w.start_s + w.end_s) / 2, w) for w in draft.words or ()]
    pieces = []
    for index in range(parts):
        start, end = draft.start_s + index * step, draft.start_s + (index + 1) * step
        if draft.words is not None:
            own = tuple(
                word for middle, word in timed if start <= middle < end or (index == parts - 1 and middle >= end)
            )
            text = " ".join(word.text for word in own)
            phones = tuple(p for p in draft.phones or () if start <= (p.start_s + p.end_s) / 2 < end)
            pieces.append(Draft(start, end, draft.channel, draft.speaker, text or None, own, phones, draft.quality))
        else:
            share = written[len(written) * index // parts : len(written) * (index + 1) // parts]
            pieces.append(
                Draft(start, end, draft.channel, draft.speaker, " ".join(share) or None, quality=draft.quality)
            )
    return pieces


def _channels_of(channels: NDArray[np.float32], turns: Sequence[Turn]) -> list[int]:
    """The channel each turn is heard on: the loudest; a named speaker keeps the one with most of their time."""
    if len(channels) == 1:
        return [0] * len(turns)
    single = [_loudest(channels, turn.start_s or 0.0, turn.end_s or 0.0) for turn in turns]
    votes: dict[str, NDArray[np.float64]] = {}
    for turn, channel in zip(turns, single, strict=True):
        if turn.speaker is not None:
            tally = votes.setdefault(turn.speaker, np.zeros(len(channels)))
            tally[channel] += (turn.end_s or 0.0) - (turn.start_s or 0.0)
    return [
        channel if turn.speaker is None else int(votes[turn.speaker].argmax())
        for turn, channel in zip(turns, single, strict=True)
    ]


def _loudest(channels: NDArray[np.float32], start_s: float, end_s: float) -> int:
    piece = channels[:, round(start_s * SAMPLE_RATE) : round(end_s * SAMPLE_RATE)]
    return int(np.square(piece).sum(axis=1).argmax()) if piece.shape[1] else 0


def _sentence_ends(turns: Sequence[Turn]) -> set[int]:
    """Indices of the words that a sentence or a turn ends with."""
    ends, count = set(), 0
    for turn in turns:
        for chunk in turn.text.split():
            count += len(tokens(chunk))
            if chunk.rstrip("\"'”’)").endswith((".", "?", "!", "…")):
                ends.add(count - 1)
        ends.add(count - 1)
    return ends
