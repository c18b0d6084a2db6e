"""Transcripts as text: plain, or one turn per line as `start end [speaker] text`, beside the recording."""

import hashlib
import re
import unicodedata
from pathlib import Path

from ml.transcripts.errors import TranscriptUnreadable
from ml.transcripts.types import Transcript, Turn

MAX_BYTES = 20_000_000
#: Bounded, so that a wall of digits is text and not a number that overflows.
_TIME = r"(?:(?:(\d{1,4}):)?(\d{1,6}):)?(\d{1,9}(?:[.,]\d{1,9})?)"
_LINE = re.compile(rf"^\s*{_TIME}\s+{_TIME}(?:\s+\[([^\]]+)\])?(?:\s+(.*))?$")
_SPEAKER = re.compile(r"^\s*\[([^\]]{1,80})\]\s*(.*)$")


def find_transcript(audio: Path) -> Path | None:
    """The `.txt` of the same name beside a recording, also when names differ in Unicode normalisation."""
    direct = audio.with_suffix(".txt")
    if direct.is_file():
        return direct
    for form in ("NFC", "NFD"):
        other = audio.with_name(unicodedata.normalize(form, audio.stem) + ".txt")
        if other.is_file():
            return other
    return None


def read_transcript(path: Path) -> Transcript:
    """Read a transcript; raises `TranscriptUnreadable` naming the file and line, never quoting the text."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise TranscriptUnreadable(f"{path.name} is larger than {MAX_BYTES // 1_000_000} MB")
        raw = path.read_bytes()
    except OSError as exc:
        raise TranscriptUnreadable(f"{path.name} cannot be opened ({type(exc).__name__})") from exc
    lines = [(number, line) for number, line in enumerate(_text(raw, path).splitlines(), start=1) if line.strip()]
    timed = [_LINE.match(line) for _, line in lines]
    # Two numbers open a timed line. One among many lines is prose ("2 3 weeks ago"), most of them are a format.
    if lines and sum(m is not None for m in timed) > len(lines) / 2:
        turns = []
        for (number, _), match in zip(lines, timed, strict=True):
            if match is None:
                raise TranscriptUnreadable(f"{path.name}, line {number}: no `start end` although other lines have it")
            start, end = _seconds(match.groups()[0:3]), _seconds(match.groups()[3:6])
            if end <= start:
                raise TranscriptUnreadable(f"{path.name}, line {number}: the turn ends before it starts")
            turns.append(Turn(_words(match.group(8) or ""), start, end, (match.group(7) or "").strip() or None))
        turns.sort(key=lambda turn: (turn.start_s or 0.0, turn.end_s or 0.0))
    else:
        turns = []
        for _, line in lines:
            match = _SPEAKER.match(line)
            speaker, text = (match.group(1).strip(), match.group(2)) if match else (None, line)
            turns.append(Turn(_words(text), speaker=speaker))
    return Transcript(tuple(turns), hashlib.sha256(raw).hexdigest())


def _text(raw: bytes, path: Path) -> str:
    if b"\x00" in raw and not raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise TranscriptUnreadable(f"{path.name} is not text (it holds zero bytes)")
    encodings = ["utf-16"] if raw.startswith((b"\xff\xfe", b"\xfe\xff")) else ["utf-8-sig", "cp1252", "latin-1"]
    for encoding in encodings:
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise TranscriptUnreadable(f"{path.name} is in no known encoding; save it as UTF-8")


def _seconds(groups: tuple[str | None, ...]) -> float:
    hours, minutes, seconds = groups
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + float((seconds or "0").replace(",", "."))


def _words(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())
