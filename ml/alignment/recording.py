"""One recording in, one immutable alignment out: utterances, speakers, words and phones."""

from dataclasses import replace
from pathlib import Path

from ml.alignment import speakers
from ml.alignment.assign import assign_speakers
from ml.alignment.draft import Draft
from ml.alignment.options import AlignOptions
from ml.alignment.quality import PARTLY_READ
from ml.alignment.registry import find_aligner
from ml.alignment.timed import from_timed_turns
from ml.alignment.types import Alignment
from ml.alignment.untimed import from_plain_text
from ml.alignment.untranscribed import from_voice_activity
from ml.audio import vad
from ml.audio.errors import NoSpeech
from ml.audio.reader import open_audio
from ml.transcripts import Transcript, TranscriptUnreadable, read_transcript


def preload() -> None:
    """Load every model that alignment needs."""
    vad.preload()
    find_aligner("pocketsphinx").preload()
    speakers.voice_encoder()


def align_recording(path: Path, transcript: Path | None, options: AlignOptions) -> Alignment:
    """Find a recording's utterances, who speaks them and where their words are.

    A transcript with times gives the utterances; one without is aligned as a whole; without one, or with one that is
    not what is said, voice activity gives them and `quality` says why there is no text. Raises a `RecordingError` for
    audio that cannot be analysed.
    """
    aligner = find_aligner(options.aligner)
    language = "en" if options.language == "auto" else options.language
    spoken: str | None = language
    quality: dict[str, object] = {}
    with open_audio(path, options.channels) as audio:
        text, note = _read(transcript, path.stem, quality)
        drafts: list[Draft] | None = None
        if text is not None and text.turns:
            make = from_timed_turns if text.turns[0].timed else from_plain_text
            drafts, note = make(audio, text.turns, aligner, language, options.max_utterance_s)
            if drafts is None:
                quality["transcript"] = note
                quality.pop("detail", None)
        if drafts is None:
            drafts = from_voice_activity(audio, options.max_utterance_s, note, options.speakers)
            if drafts and options.transcriber is not None and (text is None or not text.turns):
                from ml.transcription.drafts import transcribe_drafts

                drafts, spoken = transcribe_drafts(audio, drafts, options, aligner)
                quality["transcriber"] = options.transcriber
        if not drafts:
            raise NoSpeech("no speech was found in the recording")
        if options.speaker is not None:
            drafts = [replace(draft, speaker=options.speaker) for draft in drafts]
        drafts.sort(key=lambda draft: (draft.start_s, draft.channel, draft.end_s))
        named, utterances = assign_speakers(audio, drafts, options.speakers)
        return Alignment(
            duration_s=audio.duration_s,
            aligner=aligner.name,
            language=spoken if any(u.text for u in utterances) else None,
            speakers=named,
            utterances=tuple(
                replace(utterance, number=number, language=spoken if utterance.text else None)
                for number, utterance in enumerate(utterances)
            ),
            quality=quality,
        )


def _read(path: Path | None, recording: str, quality: dict[str, object]) -> tuple[Transcript | None, str | None]:
    if path is None:
        return None, None
    try:
        found = read_transcript(path, recording)
    except TranscriptUnreadable as exc:
        # The recording itself is sound: it is analysed without text, and the reason stays visible.
        quality["transcript"], quality["detail"] = exc.code, str(exc)
        return None, exc.code
    if found.problems:
        quality["transcript"], quality["problems"] = PARTLY_READ, list(found.problems)
        more = f" and {len(found.problems) - 1} more" if len(found.problems) > 1 else ""
        quality["detail"] = f"part of the transcript was left out: {found.problems[0]}{more}"
    return found, None
