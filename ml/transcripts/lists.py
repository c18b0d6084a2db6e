"""Which lists of transcripts lie in a folder, and which of their lines is about a recording.

A line may name a recording with its extension or without, with its folder or, where the name alone tells, without. The
folder of the list counts and those below it (LJSpeech's recordings are in `wavs/`).
"""

import os
import unicodedata
from pathlib import Path

from ml.audio.decode import EXTENSIONS
from ml.transcripts.finding import stem_of
from ml.transcripts.formats.lists import Entry, is_list_name, read_list
from ml.transcripts.places import Excerpt, text_hash

#: Longer names are text in the wrong place.
_MAX_NAME = 4096


def lists_in(folder: Path) -> list[Path]:
    """Files of a folder that may be lists, in the order of their names.

    One that has the name of a recording beside it is that recording's own transcript.
    """
    found, recordings = [], set()
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                stem, extension = os.path.splitext(entry.name)
                if extension.lower() in EXTENSIONS:
                    recordings.add(stem)
                # A pipe could keep the reader waiting for ever.
                elif is_list_name(entry.name) and entry.is_file():
                    found.append(entry.name)
    except OSError:
        return []
    return [folder / name for name in sorted(found) if stem_of(name) not in recordings]


def key_of(name: str) -> str | None:
    """A recording's name in a list as it is compared; None when it cannot be one of this folder or below."""
    parts = [part for part in name.replace("\\", "/").split("/") if part != "."]
    if len(name) > _MAX_NAME or "" in parts or ".." in parts:
        return None
    key = unicodedata.normalize("NFC", "/".join(parts))
    return key if key.isprintable() else None


def keys_of(path: str) -> tuple[str, ...]:
    """The keys that mean a recording, the most exact first; `path` is relative to the list's folder."""
    path = unicodedata.normalize("NFC", path)
    name = path.rpartition("/")[2]
    return tuple(dict.fromkeys((path, plain(path), name, plain(name))))


def plain(key: str) -> str:
    """A key without the extension of recordings."""
    stem, extension = os.path.splitext(key)
    return stem if extension.lower() in EXTENSIONS else key


def excerpt(path: Path, entry: Entry) -> Excerpt:
    """The text of an entry in a list."""
    return Excerpt(path, entry.place, text_hash(entry.text))


def find_listed(audio: Path) -> Excerpt | None:
    """A recording's text in a list of its own folder; for many recordings, reading the list once is better.

    Raises `TranscriptUnreadable`.
    """
    wanted = keys_of(audio.name)
    for path in lists_in(audio.parent):
        exact: dict[str, Entry] = {}
        converted: dict[str, Entry] = {}
        for item in read_list(path):
            key = key_of(item.name) if isinstance(item, Entry) else None
            if isinstance(item, Entry) and key is not None:
                if key in wanted:
                    exact.setdefault(key, item)
                elif plain(key) == wanted[-1]:
                    converted.setdefault(key, item)
        found = [exact[key] for key in wanted if key in exact]
        # A recording may have been converted to another format; of two such names nobody knows which is meant.
        if found or len(converted) == 1:
            return excerpt(path, found[0] if found else next(iter(converted.values())))
    return None
