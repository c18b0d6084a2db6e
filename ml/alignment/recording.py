"""One recording in, one immutable alignment out: utterances, speakers, words, syllables and phones."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ml.alignment import speakers
from ml.alignment.aligner import Aligner
from ml.alignment.assign import assign_speakers
from ml.alignment.draft import Draft
from ml.alignment.language import choose_language
from ml.alignment.options import AlignOptions
from ml.alignment.quality import NO_ALIGNER, PARTLY_READ
from ml.alignment.registry import find_aligner
from ml.alignment.syllables import syllabified
from ml.alignment.timed import from_timed_turns, from_times_alone
from ml.alignment.types import Alignment
from ml.alignment.untimed import from_plain_text, shared_out
from ml.alignment.untranscribed import from_voice_activity
from ml.audio import vad
from ml.audio.claims import cut_short
from ml.audio.errors import NoSpeech
from ml.audio.reader import Audio, open_audio
from ml.transcripts import Excerpt, Transcript, TranscriptUnreadable, Turn, read_excerpt, read_transcript


def preload() -> None:
    """Load every model that alignment needs."""
    vad.preload()
    find_aligner("pocketsphinx").preload()
    speakers.voice_encoder()


def align_recording(
    path: Path, transcript: Path | Excerpt | None, options: AlignOptions, device: str = "auto"
) -> Alignment:
    """Find a recording's utterances, who speaks them and where their words are.

    A transcript with times gives the utterances; the words of one without are searched in the whole recording, and
    shared over its speech where no aligner knows the language; without one, or with one that is not what is said,
    voice activity gives them and `quality` says why there is no text. Where that hears nothing, given times count all
    the same. What no transcript says is recognised where the options name a transcriber. Checkpoints run on `device`
    (see `torch_device`). Raises a `RecordingError` for audio that cannot be analysed or an excerpt that was changed, or
    a `ModelError` for a checkpoint that cannot be used.
    """
    aligner = find_aligner(options.aligner, device)
    quality: dict[str, object] = {}
    text, note = _read(transcript, path.stem, quality)
    turns = text.turns if text is not None else ()
    language = choose_language(options.language, text.language if text is not None else None, turns)
    spoken: str | None = language
    with open_audio(path, options.channels) as audio:
        if missed := cut_short(path, audio.duration_s):
            quality["cut_short"] = missed
        drafts: list[Draft] | None = None
        if turns:
            drafts, note = _from_transcript(audio, turns, aligner, language, options)
            if note is not None:
                quality["transcript"] = note
                quality.pop("detail", None)
            elif beyond := _beyond(turns, audio.duration_s):
                # Often the sign of a recording that was cut, or of another one's transcript.
                unread = quality.get("detail")
                quality["transcript"] = PARTLY_READ
                quality["detail"] = f"{unread}; {beyond}" if unread else beyond
        if drafts is None:
            drafts = from_voice_activity(audio, options.max_utterance_s, note, options.speakers)
            drafts = drafts or from_times_alone(audio, turns, options.max_utterance_s)
            if drafts and options.transcriber is not None and not turns:
                from ml.transcription.drafts import transcribe_drafts

                drafts, spoken = transcribe_drafts(audio, drafts, options, aligner, device)
                quality["transcriber"] = options.transcriber
            turns = ()
        if not drafts:
            raise NoSpeech("no speech was found in the recording")
        if options.speaker is not None:
            drafts = [replace(draft, speaker=options.speaker) for draft in drafts]
        drafts.sort(key=lambda draft: (draft.start_s, draft.channel, draft.end_s))
        named, utterances = assign_speakers(audio, drafts, options.speakers)
        return Alignment(
            duration_s=audio.duration_s,
            aligner=_aligned_by(turns, aligner),
            language=spoken if any(u.text for u in utterances) else None,
            speakers=named,
            utterances=tuple(
                syllabified(replace(utterance, number=number, language=spoken if utterance.text else None))
                for number, utterance in enumerate(utterances)
            ),
            quality=quality,
        )


def _from_transcript(
    audio: Audio, turns: Sequence[Turn], aligner: Aligner, language: str, options: AlignOptions
) -> tuple[list[Draft] | None, str | None]:
    """Utterances with text, None when it is not what is said; and what there is to say about the transcript."""
    if turns[0].timed:
        return from_timed_turns(audio, turns, aligner, language, options.max_utterance_s)
    if aligner.can(language):
        return from_plain_text(audio, turns, aligner, language, options.max_utterance_s)
    heard = from_voice_activity(audio, options.max_utterance_s, None, options.speakers)
    return shared_out(heard, turns), NO_ALIGNER


def _beyond(turns: Sequence[Turn], duration_s: float) -> str | None:
    """A sentence about turns that begin when the recording is over; None when there are none."""
    late = [turn.start_s for turn in turns if turn.start_s is not None and turn.start_s >= duration_s]
    if not late:
        return None
    return (
        f"{len(late)} of {len(turns)} turns of the transcript were left out:"
        f" the first of them begins at {min(late):.1f} s, the recording ends at {duration_s:.1f} s"
    )


def _aligned_by(turns: Sequence[Turn], aligner: Aligner) -> str:
    """Whose word times an alignment has: the aligner's, the transcript's own ("provided") or both ("mixed")."""
    given = any(turn.words for turn in turns)
    placed = any(turn.text and not turn.words for turn in turns)
    return aligner.name if not given else "mixed" if placed else "provided"


def _read(
    written: Path | Excerpt | None, recording: str, quality: dict[str, object]
) -> tuple[Transcript | None, str | None]:
    if written is None:
        return None, None
    try:
        found = read_excerpt(written) if isinstance(written, Excerpt) else read_transcript(written, recording)
    except TranscriptUnreadable as exc:
        # The recording itself is sound: it is analysed without text, and the reason stays visible.
        quality["transcript"], quality["detail"] = exc.code, str(exc)
        return None, exc.code
    if found.problems:
        quality["transcript"], quality["problems"] = PARTLY_READ, list(found.problems)
        named = found.problems if len(found.problems) == 2 else found.problems[:1]
        more = f" and {len(found.problems) - 1} more" if len(found.problems) > len(named) else ""
        quality["detail"] = f"part of the transcript was left out: {'; '.join(named)}{more}"
    return found, None
