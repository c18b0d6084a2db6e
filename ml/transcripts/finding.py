"""Which transcript belongs to a recording, by name."""

import functools
import os
import re
import time
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from ml.audio.decode import EXTENSIONS
from ml.transcripts.encoding import decode, read_bytes
from ml.transcripts.errors import TranscriptUnreadable
from ml.transcripts.formats import jsons, table
from ml.transcripts.registry import READERS, extension_of

_ORDER = {extension: place for place, extension in enumerate(READERS)}
_LANGUAGE = re.compile(r"(.+)\.([a-z]{2,3}(?:-[a-z0-9]{2,4})?)")
#: A folder's time may stand still for as long while files are added to it.
_SETTLED_NS = 2_000_000_000


def find_transcript(audio: Path) -> Path | None:
    """The transcript beside a recording; of several, the one that says most.

    It has the recording's name with an extension of `READERS` (`call.TextGrid`), or its whole name with one more
    (`call.wav.json`), or for subtitles a language between (`call.en.srt`). Capitals do not matter in extensions, nor
    the Unicode normalisation of names. First comes what has words with times, then turns with times, then text, then
    what has no text (phones, speakers), in the order of `READERS`; of the same kind, the plainest name. JSON, CSV and
    TSV hold many other things: they count only when they are of a known form, or broken JSON with nothing else there.
    """
    broken = None
    for path in _candidates(audio):
        is_one = _is_transcript(path)
        if is_one:
            return path
        if is_one is None and broken is None:
            broken = path
    return broken


def find_speakers(transcript: Path) -> Path | None:
    """The RTTM beside a transcript (or a recording) of the same name."""
    return find_beside(transcript, ".rttm")


def find_beside(path: Path, extension: str) -> Path | None:
    """The file with this extension that belongs to the same recording as another file."""
    for stem, _ in _stems(path.name):
        for _, name in _names(path.parent).get(stem, ()):
            if extension_of(name) == extension:
                return path.with_name(name)
    return None


def language_in_name(name: str) -> str | None:
    """The language tag in the name of subtitles, as it is written."""
    match = _LANGUAGE.fullmatch(stem_of(name).lower()) if extension_of(name) in (".srt", ".vtt") else None
    return match.group(2) if match else None


def _candidates(audio: Path) -> list[Path]:
    stem = _folded(audio.stem)
    found = _names(audio.parent).get(stem, [])
    ordered = sorted(found, key=lambda item: (_ORDER[extension_of(item[1]) or ".txt"], item))
    return [audio.with_name(name) for _, name in ordered]


def _names(folder: Path) -> dict[str, list[tuple[int, str]]]:
    """(how far its name is from plain, name) of the transcripts in a folder, by the name of their recording."""
    try:
        changed = folder.stat().st_mtime_ns
        if abs(time.time_ns() - changed) < _SETTLED_NS:
            return _listed(str(folder))
        return _remembered(str(folder), changed)
    except OSError:
        return {}


@functools.lru_cache(maxsize=4)
def _remembered(folder: str, changed_ns: int) -> dict[str, list[tuple[int, str]]]:
    # A walk asks for each file of a folder; listing it each time would cost the square of its size.
    return _listed(folder)


def _listed(folder: str) -> dict[str, list[tuple[int, str]]]:
    names: dict[str, list[tuple[int, str]]] = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            # A pipe could keep the reader waiting for ever.
            if extension_of(entry.name) is not None and not entry.name.startswith(".") and entry.is_file():
                for stem, distance in _stems(entry.name):
                    names.setdefault(stem, []).append((distance, entry.name))
    return names


def _stems(name: str) -> Iterator[tuple[str, int]]:
    """Names of recordings that a file may belong to, the plainest first."""
    stem = _folded(stem_of(name))
    yield stem, 0
    base, extension = os.path.splitext(stem)
    if base and extension.lower() in EXTENSIONS:
        yield base, 1
    match = _LANGUAGE.fullmatch(stem) if extension_of(name) in (".srt", ".vtt") else None
    if match is not None:
        yield match.group(1), 2


def stem_of(name: str) -> str:
    """A file's name without the extension by which it is read."""
    extension = extension_of(name)
    return name[: -len(extension)] if extension else os.path.splitext(name)[0]


def _folded(stem: str) -> str:
    return unicodedata.normalize("NFC", stem)


def _is_transcript(path: Path) -> bool | None:
    """None: it should be one and is broken."""
    extension = extension_of(path.name)
    if extension not in (".json", ".jsonl", ".csv", ".tsv"):
        return True
    try:
        text, _ = decode(read_bytes(path), path.name)
    except TranscriptUnreadable:
        return None if extension == ".json" else False
    if extension in (".csv", ".tsv"):
        return table.recognises(text)
    return jsons.recognises(text) if extension == ".json" else jsons.recognises_lines(text)
