"""Transcripts in: one internal form, every problem named with file and line, never with its words."""

from ml.transcripts.errors import TranscriptUnreadable
from ml.transcripts.text import find_transcript, read_transcript
from ml.transcripts.types import Said, Transcript, Turn

__all__ = ["Said", "Transcript", "TranscriptUnreadable", "Turn", "find_transcript", "read_transcript"]
