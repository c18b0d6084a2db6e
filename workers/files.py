"""Looking at an archive's files: which are recordings, what they hold, and which transcript lies beside them."""

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ml.audio.decode import EXTENSIONS, AudioInfo, probe
from ml.audio.errors import AudioMissing, AudioUnreadable
from ml.errors import RecordingError
from ml.transcripts import TranscriptUnreadable, content_hash, find_transcript
from workers.errors import RecordingChanged


@dataclass(frozen=True, slots=True)
class Known:
    """What the database remembers of a path."""

    size_bytes: int
    mtime_ns: int
    recording_id: int | None


@dataclass(frozen=True, slots=True)
class Found:
    """A path of the database as it is now.

    Either `recording_id` is known, or `sha256` is new, or `error` says why there is neither.
    """

    path: str
    size_bytes: int
    mtime_ns: int
    recording_id: int | None = None
    sha256: str | None = None
    info: AudioInfo | None = None
    transcript_path: str | None = None
    transcript_sha256: str = ""
    #: Of the content (it cannot be read by anybody) when `sha256` is set, else of this path.
    error: RecordingError | None = None


#: Where bytes of a file name that are not UTF-8 go, since Postgres takes nothing else: 0x80–0xFF to U+F780–U+F7FF of
#: the private use area. Python has them at U+DC80–U+DCFF.
_KEPT = {0xDC00 + byte: 0xF700 + byte for byte in range(0x80, 0x100)}
_GIVEN = {kept: given for given, kept in _KEPT.items()}


def storable_path(path: str) -> str:
    """A path as the database keeps it."""
    return path.translate(_KEPT)


def usable_path(path: str) -> str:
    """A path of the database as the file system knows it."""
    return path.translate(_GIVEN)


def located(url: str, path: str) -> Path:
    """Where a file of an archive is, from the database's columns."""
    return Path(usable_path(url)) / usable_path(path)


def audio_files(root: Path, *, after: str | None = None) -> Iterator[str]:
    """Relative paths (with /) of the audio files below a folder, in order, without hidden ones.

    `after` leaves out what comes up to and including that path, whether or not it is still there.
    """
    start = None if after is None else _place(after)
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in EXTENSIONS:
                path = Path(folder, name).relative_to(root).as_posix()
                if start is None or _place(path) > start:
                    yield path


def _place(path: str) -> list[tuple[bool, str]]:
    """Sorts paths as they are walked: the files of a folder before its subfolders."""
    *folders, name = path.split("/")
    return [*((True, folder) for folder in folders), (False, name)]


def look(root: Path, path: str, known: Known | None) -> Found:
    """Look at one file; an unchanged path, size and modification time skips hashing and probing.

    `path` is as the file system knows it, paths of the result are as the database keeps them.
    """
    audio, path = root / path, storable_path(path)
    transcript_path, transcript_sha256 = None, ""
    try:
        status = audio.stat()
        # Opening a pipe or a device could wait for ever.
        if not stat.S_ISREG(status.st_mode):
            return Found(path, 0, 0, error=AudioUnreadable("it is not a regular file"))
        transcript = find_transcript(audio)
        if transcript is not None:
            transcript_path = storable_path(transcript.relative_to(root).as_posix())
            transcript_sha256 = _hash_of(transcript)
        seen = Found(
            path,
            status.st_size,
            status.st_mtime_ns,
            transcript_path=transcript_path,
            transcript_sha256=transcript_sha256,
        )
        now = (status.st_size, status.st_mtime_ns)
        if known is not None and known.recording_id is not None and (known.size_bytes, known.mtime_ns) == now:
            return _with(seen, recording_id=known.recording_id)
        with audio.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as exc:
        error = AudioMissing(f"the file cannot be opened ({type(exc).__name__})")
        return Found(path, 0, 0, error=error)
    try:
        return _with(seen, sha256=sha256, info=probe(audio))
    except AudioMissing as exc:
        return _with(seen, error=exc)
    except RecordingError as exc:
        return _with(seen, sha256=sha256, error=exc)


def _hash_of(transcript: Path) -> str:
    try:
        return content_hash(transcript)
    except TranscriptUnreadable:
        # The recording is sound all the same; aligning it says what is wrong with its transcript.
        return "unreadable"


def check_unchanged(audio: Path, size_bytes: int, mtime_ns: int, sha256: str) -> None:
    """Raise `RecordingChanged` unless the file holds what was enqueued.

    Otherwise one recording's name would carry another's emotions.
    """
    try:
        status = audio.stat()
        if (status.st_size, status.st_mtime_ns) == (size_bytes, mtime_ns):
            return
        with audio.open("rb") as file:
            same = hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except OSError:
        return  # Decoding names this better.
    if not same:
        raise RecordingChanged("the file was replaced after it was enqueued")


def _with(
    seen: Found,
    *,
    recording_id: int | None = None,
    sha256: str | None = None,
    info: AudioInfo | None = None,
    error: RecordingError | None = None,
) -> Found:
    return Found(
        seen.path,
        seen.size_bytes,
        seen.mtime_ns,
        recording_id,
        sha256,
        info,
        seen.transcript_path,
        seen.transcript_sha256,
        error,
    )
