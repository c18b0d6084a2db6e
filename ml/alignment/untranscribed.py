"""Utterances without a transcript: where voice activity says that somebody speaks."""

from ml.alignment.draft import Draft
from ml.audio.reader import Audio
from ml.audio.vad import cut_to_utterances, speech_segments


def from_voice_activity(audio: Audio, max_s: float, quality: str | None) -> list[Draft]:
    """Utterances without text, per channel."""
    drafts = []
    for channel in range(audio.channels):
        segments = speech_segments(audio.read(channel))
        for start, end in cut_to_utterances(segments, audio.duration_s, max_s=max_s):
            drafts.append(Draft(start, end, channel, quality=quality))
    return drafts
