"""Utterances without a transcript: where voice activity says that somebody speaks, cut where the voice changes."""

from ml.alignment.diarization import diarize
from ml.alignment.draft import Draft
from ml.audio.cutting import cut_long, padded
from ml.audio.reader import Audio
from ml.audio.vad import find_speech


def from_voice_activity(audio: Audio, max_s: float, quality: str | None, count: int | None) -> list[Draft]:
    """Utterances without text, per channel; of a single channel with the voice (`count` of them, None: found)."""
    drafts: list[Draft] = []
    for channel in range(audio.channels):
        speech = find_speech(audio, channel)
        stretches = padded(speech.segments, audio.duration_s)
        voices: list[tuple[float, float, int | None]] = [(start, end, None) for start, end in stretches]
        if audio.channels == 1:
            voices = [(s.start_s, s.end_s, s.voice) for s in diarize(audio, stretches, count)]
        for start, end, voice in voices:
            for begin, stop in cut_long((start, end), max_s, speech.levels):
                drafts.append(Draft(begin, stop, channel, voice=voice, quality=quality))
    return drafts
