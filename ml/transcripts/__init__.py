"""Transcripts in: one internal form, every problem named with file and line, never with its words."""

from ml.transcripts.errors import TranscriptUnreadable
from ml.transcripts.text import Transcript, Turn, find_transcript, read_transcript

__all__ = ["Transcript", "TranscriptUnreadable", "Turn", "find_transcript", "read_transcript"]
