"""Transcripts in: one internal form, every problem named with file and line, never with its words."""

from ml.transcripts.errors import TranscriptChanged, TranscriptUnreadable
from ml.transcripts.finding import find_transcript
from ml.transcripts.lists import find_listed
from ml.transcripts.places import Excerpt, Place
from ml.transcripts.reading import content_hash, read_excerpt, read_transcript
from ml.transcripts.types import Said, Transcript, Turn

__all__ = [
    "Excerpt",
    "Place",
    "Said",
    "Transcript",
    "TranscriptChanged",
    "TranscriptUnreadable",
    "Turn",
    "content_hash",
    "find_listed",
    "find_transcript",
    "read_excerpt",
    "read_transcript",
]
