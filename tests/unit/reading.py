"""Transcripts read in tests, as plain rows."""

from pathlib import Path
from typing import Any

from ml.transcripts import Transcript, read_transcript


def read(tmp_path: Path, name: str, content: str | bytes, recording: str | None = None) -> Transcript:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_transcript(path, recording)


def rows(transcript: Transcript) -> list[tuple[Any, ...]]:
    return [(t.start_s, t.end_s, t.speaker, t.text) for t in transcript.turns]


def words(transcript: Transcript) -> list[tuple[Any, ...]]:
    return [(w.text, w.start_s, w.end_s, w.confidence) for t in transcript.turns for w in t.words or ()]
