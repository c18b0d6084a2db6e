"""Looking at an archive's files: which are recordings, what they hold, and which transcript belongs to them."""

import hashlib
import os
import stat
import unicodedata
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ml.audio.decode import EXTENSIONS, AudioInfo, probe
from ml.audio.errors import AudioMissing, AudioUnreadable
from ml.errors import RecordingError
from ml.transcripts import Place, TranscriptUnreadable, content_hash, find_transcript
from workers.archives.lists import Lists
from workers.archives.manifest import OUTSIDE, Line, Problem
from workers.errors import ArchiveMissing, RecordingChanged


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
    #: Where in that file its transcript stands; None: it is all of the file.
    transcript_place: Place | None = None
    transcript_sha256: str = ""
    #: Of the content (it cannot be read by anybody) when `sha256` is set, else of this path.
    error: RecordingError | None = None
    #: What the manifest says about it.
    line: Line | None = None
    #: What of that, or of a list of transcripts, could not be followed.
    problems: tuple[Problem, ...] = ()


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


def located(root: Path, path: str) -> Path:
    """Where a file of an archive's folder is, from the database's column."""
    return root / usable_path(path)


def audio_files(root: Path, *, after: str | None = None, closed: set[str] | None = None) -> Iterator[str]:
    """Relative paths (with /) of the audio files below a folder, in order, without hidden ones and links to folders.

    `after` leaves out what comes up to and including that path, whether or not it is still there. Folders that cannot
    be read go into `closed`, with a / at their end, and the walk goes on. Raises `ArchiveMissing` when `root` is one.
    """
    start = None if after is None else _place(after)
    ahead = [""]
    while ahead:
        folder = ahead.pop()
        try:
            with os.scandir(root / folder) as entries:
                seen = sorted(
                    (entry.name, _is_folder(entry))
                    for entry in entries
                    if not entry.name.startswith(".") and not _links_to_folder(entry)
                )
        except FileNotFoundError:
            continue  # Removed since its parent was read.
        except OSError as exc:
            if not folder:
                raise ArchiveMissing(f"{root} cannot be read: {reason(exc)}") from exc
            if closed is not None:
                closed.add(folder)
            continue
        for name, is_folder in seen:
            path = folder + name
            if not is_folder and is_audio(name) and (start is None or _place(path) > start):
                yield path
        ahead += [f"{folder}{name}/" for name, is_folder in reversed(seen) if is_folder]


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False


def _links_to_folder(entry: "os.DirEntry[str]") -> bool:
    """It could lead anywhere, also back."""
    try:
        return entry.is_symlink() and entry.is_dir()
    except OSError:
        return False


def reason(exc: OSError) -> str:
    """What the operating system says, without the path."""
    return "no permission" if isinstance(exc, PermissionError) else exc.strerror or type(exc).__name__


def is_audio(path: str) -> bool:
    """True when a file's name has the ending of a recording."""
    return os.path.splitext(path)[1].lower() in EXTENSIONS


def absence(root: Path, path: str, closed: Collection[str] = ()) -> str | None:
    """Why a walk does not come by a path, as a sentence; None when it does. `closed` are the folders it cannot read."""
    *folders, name = path.split("/")
    if any(part.startswith(".") for part in (*folders, name)):
        return "hidden files are left out"
    if any(path.startswith(folder) for folder in closed):
        return "its folder cannot be read"
    file = composed(root, path)
    if file is None:
        return "there is no such file"
    if file.is_dir():
        return "it is a folder"
    if any(folder.is_symlink() for folder in file.parents if root in folder.parents):
        return "it lies behind a link to a folder, which is not followed"
    return None


def composed(root: Path, path: str) -> Path | None:
    """The file of that name, however the letters of either are composed; None when there is none."""
    for form in dict.fromkeys((path, unicodedata.normalize("NFC", path), unicodedata.normalize("NFD", path))):
        if os.path.lexists(file := root / form):
            return file
    return None


def _place(path: str) -> list[tuple[bool, str]]:
    """Sorts paths as they are walked: the files of a folder before its subfolders."""
    *folders, name = path.split("/")
    return [*((True, folder) for folder in folders), (False, name)]


def look(
    root: Path, path: str, known: Known | None, line: Line | None = None, base: str = "", lists: Lists | None = None
) -> Found:
    """Look at one file; an unchanged path, size and modification time skips hashing and probing.

    `path` is as the file system knows it, paths of the result are as the database keeps them. `line` is the manifest's
    about it, `base` the manifest's folder ("" or with a slash at its end). A transcript that the manifest holds or
    names goes before one beside the recording, also when it is not there: another one would be a guess. Last come
    `lists`.
    """
    audio, given, path = root / path, path, storable_path(path)
    transcript_path, transcript_place, transcript_sha256 = None, None, ""
    problems: tuple[Problem, ...] = ()
    try:
        status = audio.stat()
        # Opening a pipe or a device could wait for ever.
        if not stat.S_ISREG(status.st_mode):
            return Found(path, 0, 0, error=AudioUnreadable("it is not a regular file"), line=line)
        transcript, listed = None, line.text if line is not None else None
        if line is not None and line.transcript is not None:
            transcript, problems = _named_transcript(root, base, line)
        elif listed is None and (transcript := find_transcript(audio)) is None and lists is not None:
            listed, problems = lists.find(given)
        if listed is not None:
            transcript_path = storable_path(listed.path.relative_to(root).as_posix())
            transcript_place, transcript_sha256 = listed.place, listed.sha256
        elif transcript is not None:
            transcript_path = storable_path(transcript.relative_to(root).as_posix())
            transcript_sha256 = _hash_of(transcript)
        seen = Found(
            path,
            status.st_size,
            status.st_mtime_ns,
            transcript_path=transcript_path,
            transcript_place=transcript_place,
            transcript_sha256=transcript_sha256,
            line=line,
            problems=problems,
        )
        now = (status.st_size, status.st_mtime_ns)
        if known is not None and known.recording_id is not None and (known.size_bytes, known.mtime_ns) == now:
            return replace(seen, recording_id=known.recording_id)
        return _with_content(audio, seen)
    except OSError as exc:
        error = AudioMissing(f"the file cannot be read: {reason(exc)}")
        return Found(path, 0, 0, error=error, line=line)


def look_alone(audio: Path) -> Found:
    """Look at one file that is no part of an archive: what it holds, without a transcript."""
    path = storable_path(str(audio))
    try:
        status = audio.stat()
        return _with_content(audio, Found(path, status.st_size, status.st_mtime_ns))
    except OSError as exc:
        return Found(path, 0, 0, error=AudioMissing(f"the file cannot be read: {reason(exc)}"))


def _with_content(audio: Path, seen: Found) -> Found:
    """`seen` with hash and format of the file's content, or with what is wrong with it; raises `OSError`."""
    with audio.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    try:
        return replace(seen, sha256=sha256, info=probe(audio))
    except AudioMissing as exc:
        return replace(seen, error=exc)
    except RecordingError as exc:
        return replace(seen, sha256=sha256, error=exc)


def _named_transcript(root: Path, base: str, line: Line) -> tuple[Path | None, tuple[Problem, ...]]:
    assert line.transcript is not None
    file = composed(root, base + line.transcript)
    if file is None or not file.is_file():
        said = "there is no transcript where it says; the recording is analysed by voice alone"
        return None, (Problem(line.number, "manifest_transcript", said, line.path),)
    if not file.resolve().is_relative_to(root.resolve()):
        return None, (Problem(line.number, "manifest_transcript", OUTSIDE, line.path),)
    return file, ()


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
