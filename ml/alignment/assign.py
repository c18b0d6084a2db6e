"""From drafts to utterances: who speaks each."""

from collections.abc import Sequence

import numpy as np

from ml.alignment import speakers
from ml.alignment.diarization import diarize
from ml.alignment.draft import Draft
from ml.alignment.types import Speaker, Utterance
from ml.alignment.voice import KnownVoice, hear_voices
from ml.audio.reader import Audio
from ml.audio.vad import Segment
from ml.transcripts.naming import is_label

#: Utterances whose samples are in memory at once while they are embedded.
_TOGETHER = 32


def assign_speakers(
    audio: Audio, drafts: Sequence[Draft], count: int | None
) -> tuple[dict[str, Speaker], list[Utterance]]:
    """Speakers by label, and the drafts as utterances in the same order (all numbered 0).

    A name stays. An unnamed voice belongs to its channel where channels are analysed apart; else it is the one that
    diarization found there, which listens now to drafts that it has not heard yet (`count` voices, None: found).
    """
    labels = _labels(audio, drafts, count)
    said: dict[str, list[Draft]] = {}
    for draft, label in zip(drafts, labels, strict=True):
        said.setdefault(label, []).append(draft)
    found = {label: _speaker(audio, label, own) for label, own in said.items()}
    utterances = [
        Utterance(
            number=0,
            speaker=label,
            start_s=draft.start_s,
            end_s=draft.end_s,
            channel=audio.origins[draft.channel],
            text=draft.text,
            words=draft.words,
            phones=draft.phones,
            syllables=draft.syllables,
            quality=draft.quality,
        )
        for draft, label in zip(drafts, labels, strict=True)
    ]
    return found, utterances


def _labels(audio: Audio, drafts: Sequence[Draft], count: int | None) -> list[str]:
    if audio.channels > 1:
        return [d.speaker or f"speaker {(audio.origins[d.channel] or 0) + 1}" for d in drafts]
    unheard = [i for i, draft in enumerate(drafts) if draft.speaker is None and draft.voice is None]
    voices = {i: draft.voice for i, draft in enumerate(drafts) if draft.voice is not None}
    voices |= dict(zip(unheard, _voices(audio, [drafts[i] for i in unheard], count), strict=True))
    # Counted by first appearance among those that are left.
    order: dict[int, int] = {}
    return [d.speaker or f"speaker {order.setdefault(voices[i], len(order)) + 1}" for i, d in enumerate(drafts)]


def _voices(audio: Audio, drafts: Sequence[Draft], count: int | None) -> list[int]:
    """The voice that is heard for the longest part of each draft."""
    segments = diarize(audio, _union(drafts), count)
    starts, ends = np.array([s.start_s for s in segments]), np.array([s.end_s for s in segments])
    whose = np.array([s.voice for s in segments], np.int64)
    result: list[int] = []
    for draft in drafts:
        # Segments are in order and do not overlap, so that those of a draft lie side by side; at least one is taken,
        # also for a draft too short to hold an instant.
        first = min(int(np.searchsorted(ends, draft.start_s, "right")), len(whose) - 1)
        last = max(int(np.searchsorted(starts, draft.end_s)), first + 1)
        heard = np.minimum(ends[first:last], draft.end_s) - np.maximum(starts[first:last], draft.start_s)
        result.append(int(np.bincount(whose[first:last], np.maximum(heard, 1e-9)).argmax()))
    return result


def _union(drafts: Sequence[Draft]) -> list[Segment]:
    """The stretches that the drafts cover, in order."""
    stretches: list[Segment] = []
    for start, end in sorted((draft.start_s, draft.end_s) for draft in drafts):
        if stretches and start < stretches[-1][1]:
            stretches[-1] = (stretches[-1][0], max(end, stretches[-1][1]))
        else:
            stretches.append((start, end))
    return stretches


def _speaker(audio: Audio, label: str, own: Sequence[Draft]) -> Speaker:
    """A speaker by their first utterances; no more are read than are needed."""
    voice = KnownVoice()
    for begin in range(0, len(own), _TOGETHER):
        if voice.complete:
            break
        waves = [
            audio.read(d.channel, d.start_s, min(d.end_s, d.start_s + speakers.MAX_EMBED_S))
            for d in own[begin : begin + _TOGETHER]
        ]
        voice.add(hear_voices(waves))
    return Speaker(
        label=label,
        named=own[0].speaker is not None and not is_label(label),
        embedding=voice.embedding,
        channel=audio.origins[own[0].channel],
        usual=voice.usual,
    )
