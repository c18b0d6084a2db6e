"""Transcripts in: one internal form, every problem named with file and line, never with its words."""

from ml.transcripts.errors import TranscriptUnreadable
from ml.transcripts.finding import find_transcript
from ml.transcripts.reading import content_hash, read_transcript
from ml.transcripts.types import Said, Transcript, Turn

__all__ = [
    "Said",
    "Transcript",
    "TranscriptUnreadable",
    "Turn",
    "content_hash",
    "find_transcript",
    "read_transcript",
]
