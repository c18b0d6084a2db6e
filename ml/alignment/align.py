"""One recording in, one immutable alignment out: utterances, speakers, words and phones."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ml.alignment import speakers
from ml.alignment.drafts import Draft, from_plain_text, from_timed_turns, from_voice_activity
from ml.alignment.registry import find_aligner
from ml.alignment.types import Alignment, Speaker, Utterance
from ml.audio import vad
from ml.audio.decode import SAMPLE_RATE, channel_samples, choose_channels, decode
from ml.audio.errors import AudioSilent
from ml.transcripts import Transcript, TranscriptUnreadable, read_transcript

#: Part of an alignment's identity: raise it when the same input gives another result.
VERSION = 1


@dataclass(frozen=True, slots=True)
class AlignOptions:
    """What a job can choose; equal options give equal alignments, which later jobs reuse."""

    channels: Literal["auto", "split", "mix"] = "auto"
    aligner: str = "pocketsphinx"
    language: str = "en"
    max_utterance_s: float = 15.0

    def identity(self) -> dict[str, Any]:
        """What an alignment is known by, besides the audio and the transcript."""
        return {**asdict(self), "version": VERSION}


def preload() -> None:
    """Load every model that alignment needs."""
    vad.preload()
    find_aligner("pocketsphinx").preload()
    speakers.voice_encoder()


def align_recording(audio: Path, transcript: Path | None, options: AlignOptions) -> Alignment:
    """Find a recording's utterances, who speaks them and where their words are.

    A transcript with times gives the utterances; one without is aligned as a whole; without one, or with one that is
    not what is said, voice activity gives them and `quality` says why there is no text. Raises a `RecordingError` for
    audio that cannot be analysed.
    """
    aligner = find_aligner(options.aligner)
    decoded = decode(audio)
    duration_s = decoded.shape[1] / SAMPLE_RATE
    chosen = choose_channels(decoded, options.channels)
    channels = decoded[list(chosen)] if chosen else channel_samples(decoded, None)[None]
    quality: dict[str, object] = {}
    text, note = _read(transcript, quality)
    drafts: list[Draft] | None = None
    if text is not None and text.turns:
        make = from_timed_turns if text.turns[0].timed else from_plain_text
        drafts, note = make(channels, text.turns, aligner, options.language, options.max_utterance_s)
        if drafts is None:
            quality["transcript"] = note
    if drafts is None:
        drafts = from_voice_activity(channels, options.max_utterance_s, note)
    if not drafts:
        raise AudioSilent("no speech was found in the recording")
    drafts.sort(key=lambda draft: (draft.start_s, draft.channel or 0, draft.end_s))
    named, utterances = _assign_speakers(channels, drafts, chosen)
    return Alignment(
        duration_s=duration_s,
        aligner=aligner.name,
        language=options.language if any(u.text for u in utterances) else None,
        speakers=named,
        utterances=tuple(
            replace(utterance, number=number, language=options.language if utterance.text else None)
            for number, utterance in enumerate(utterances)
        ),
        quality=quality,
    )


def _read(path: Path | None, quality: dict[str, object]) -> tuple[Transcript | None, str | None]:
    if path is None:
        return None, None
    try:
        return read_transcript(path), None
    except TranscriptUnreadable as exc:
        # The recording itself is sound: it is analysed without text, and the reason stays visible.
        quality["transcript"], quality["detail"] = exc.code, str(exc)
        return None, exc.code


def waveform(channels: NDArray[np.float32], draft: Draft) -> NDArray[np.float32]:
    """The samples of an utterance."""
    return channels[draft.channel or 0, round(draft.start_s * SAMPLE_RATE) : round(draft.end_s * SAMPLE_RATE)]


def _assign_speakers(
    channels: NDArray[np.float32], drafts: Sequence[Draft], chosen: tuple[int, ...]
) -> tuple[dict[str, Speaker], list[Utterance]]:
    embeddings = speakers.embed_utterances([waveform(channels, draft) for draft in drafts])
    split = len(channels) > 1
    original = [chosen[draft.channel or 0] if chosen else None for draft in drafts]
    labels: list[str] = [draft.speaker or "" for draft in drafts]
    unnamed = [i for i, draft in enumerate(drafts) if draft.speaker is None]
    if split:
        for i in unnamed:
            labels[i] = f"speaker {(original[i] or 0) + 1}"
    else:
        for i, voice in zip(unnamed, speakers.cluster([embeddings[i] for i in unnamed]), strict=True):
            labels[i] = f"speaker {voice + 1}"
    found: dict[str, Speaker] = {}
    for label in dict.fromkeys(labels):
        own = [i for i, other in enumerate(labels) if other == label]
        found[label] = Speaker(
            label=label,
            named=drafts[own[0]].speaker is not None,
            embedding=speakers.speaker_vector([embeddings[i] for i in own]),
            channel=original[own[0]],
        )
    utterances = [
        Utterance(
            number=0,
            speaker=label,
            start_s=draft.start_s,
            end_s=draft.end_s,
            channel=channel,
            text=draft.text,
            words=draft.words,
            phones=draft.phones,
            quality=draft.quality,
        )
        for draft, label, channel in zip(drafts, labels, original, strict=True)
    ]
    return found, utterances
