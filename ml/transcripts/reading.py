"""Reading one transcript, with what lies beside it."""

import functools
import hashlib
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from pathlib import Path

from ml.languages import code_of
from ml.transcripts.assembling import with_parts
from ml.transcripts.encoding import decode, read_bytes
from ml.transcripts.errors import TranscriptUnreadable
from ml.transcripts.finding import find_beside, find_speakers, language_in_name, stem_of
from ml.transcripts.formats import iemocap, nist, timit
from ml.transcripts.formats.text import untimed
from ml.transcripts.places import Excerpt, text_of
from ml.transcripts.registry import extension_of, reader_of
from ml.transcripts.source import Source
from ml.transcripts.types import Said, Transcript, Turn

#: Phones that stand in a file of their own beside the words.
_PHONES = {".wrd": (".phn", timit.phones), ".wdseg": (".phseg", iemocap.phones)}


def read_transcript(path: Path, recording: str | None = None) -> Transcript:
    """Read a transcript of any form in `READERS`.

    `recording` is the name by which files that hold many recordings (CTM, STM, RTTM, lhotse, tables) know this one;
    None: the file's own name. Words' phones beside them (`.phn`, `.phseg`) are read along, and an RTTM gives its
    speakers to turns that have times but no name.

    What is wrong with single lines is told in `problems`, and the rest is kept. Raises `TranscriptUnreadable` when
    nothing can be used; neither ever quotes the text.
    """
    reader = reader_of(path.name)
    source = _source(path, recording)
    try:
        reading = reader(source)
    except RecursionError:
        raise source.unreadable(None, "it is nested too deeply") from None
    turns, problems = sorted(reading.turns, key=_order), list(source.all_problems())
    if not turns and problems:
        raise TranscriptUnreadable(problems[0])
    try:
        turns = _with_phones(path, turns, recording, problems)
        turns = _with_speakers(path, turns, recording, problems)
    except TranscriptUnreadable as exc:
        problems.append(str(exc))
    return Transcript(
        turns=tuple(turns),
        sha256=content_hash(path),
        language=code_of(reading.language or language_in_name(path.name)),
        problems=tuple(problems),
    )


def read_excerpt(excerpt: Excerpt) -> Transcript:
    """Read one recording's text out of a file that holds those of many: one turn without times.

    Raises `TranscriptUnreadable` or `TranscriptChanged`.
    """
    turn = untimed(text_of(excerpt))
    return Transcript((turn,) if turn.text else (), excerpt.sha256)


def content_hash(path: Path) -> str:
    """SHA-256 of a transcript, as hex: of the file, or of the hashes of all files that are read with it."""
    try:
        hashes = [_hash(part) for part in (path, *_beside(path))]
    except OSError as exc:
        raise TranscriptUnreadable(f"{path.name} cannot be opened ({type(exc).__name__})") from exc
    return hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest()


def merge_speakers(turns: Sequence[Turn], speaking: Sequence[Turn]) -> list[Turn]:
    """The turns, those without a name given the speaker who speaks most of their time."""
    speaking = sorted((turn for turn in speaking if turn.speaker), key=_order)
    starts = [turn.start_s or 0.0 for turn in speaking]
    # How far the turns up to each one reach: those that end before a turn begins need no look.
    reach = list(accumulate((turn.end_s or 0.0 for turn in speaking), max))
    merged = []
    for turn in turns:
        if turn.speaker is None and turn.start_s is not None and turn.end_s is not None:
            heard: dict[str, float] = {}
            for other in speaking[bisect_right(reach, turn.start_s) : bisect_left(starts, turn.end_s)]:
                shared = min(turn.end_s, other.end_s or 0.0) - max(turn.start_s, other.start_s or 0.0)
                heard[other.speaker or ""] = heard.get(other.speaker or "", 0.0) + max(shared, 0.0)
            name = max(heard, key=heard.__getitem__, default=None)
            if name is not None and heard[name] > 0:
                turn = replace(turn, speaker=name)
        merged.append(turn)
    return merged


def _order(turn: Turn) -> tuple[float, float]:
    return turn.start_s or 0.0, turn.end_s or 0.0


def _source(path: Path, recording: str | None) -> Source:
    text, broken = decode(read_bytes(path), path.name)
    source = Source(path.name, text, recording if recording is not None else stem_of(path.name))
    for number in broken:
        source.problem(number, "it holds bytes that are not UTF-8")
    return source


def _beside(path: Path) -> list[Path]:
    extension = extension_of(path.name)
    phones = _PHONES.get(extension or "")
    found = [find_beside(path, phones[0]) if phones else None, find_speakers(path) if extension != ".rttm" else None]
    return [part for part in found if part is not None]


def _with_phones(path: Path, turns: list[Turn], recording: str | None, problems: list[str]) -> list[Turn]:
    extension, reader = _PHONES.get(extension_of(path.name) or "", (None, None))
    beside = find_beside(path, extension) if extension else None
    if beside is None or reader is None:
        return turns
    source = _source(beside, recording)
    phones: list[Said] = reader(source)
    problems += source.all_problems()
    return with_parts(turns, phones=phones)


def _with_speakers(path: Path, turns: list[Turn], recording: str | None, problems: list[str]) -> list[Turn]:
    unnamed = any(turn.timed and turn.speaker is None for turn in turns)
    beside = find_speakers(path) if unnamed and extension_of(path.name) != ".rttm" else None
    if beside is None:
        return turns
    source = _source(beside, recording)
    speaking = nist.read_rttm(source).turns
    problems += source.all_problems()
    return merge_speakers(turns, speaking)


def _hash(path: Path) -> str:
    status = path.stat()
    return _hash_of(path, status.st_size, status.st_mtime_ns)


@functools.lru_cache(maxsize=64)
def _hash_of(path: Path, size_bytes: int, mtime_ns: int) -> str:
    """Remembered, because one transcript may belong to many recordings."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
