"""A listing as an index on disk: a million keys in bounded memory, walked in the order of folders on a disk."""

import unicodedata
from collections.abc import Iterable, Iterator

from ml.audio.decode import EXTENSIONS
from ml.transcripts.finding import stem_of
from ml.transcripts.formats.lists import is_list_name
from workers.archives.files import is_audio
from workers.archives.objects.places import Object
from workers.archives.scratch import scratch, writing

_BATCH = 1000


class Index:
    """What lies below a prefix, by path relative to it. Hidden names and folders' own markers are left out."""

    def __init__(self) -> None:
        self._rows = scratch(
            "CREATE TABLE objects (place BLOB PRIMARY KEY, path TEXT, audio INTEGER, size INTEGER, mtime INTEGER)"
            " WITHOUT ROWID",
            "CREATE TABLE lists (folder TEXT, name TEXT)",
            "CREATE INDEX lists_by_folder ON lists (folder)",
        )

    def add(self, objects: Iterable[tuple[str, Object]]) -> None:
        """Take (path, object); raises `DiskFull`."""
        with writing("the listing of an object store"):
            for path, found in objects:
                if path.endswith("/") or any(part.startswith(".") for part in path.split("/")):
                    continue
                folder, _, name = path.rpartition("/")
                row = (_place(path), path, is_audio(name), found.size_bytes, found.mtime_ns)
                self._rows.execute("INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?)", row)
                if is_list_name(name) and not is_audio(name):
                    self._rows.execute("INSERT INTO lists VALUES (?, ?)", (f"{folder}/" if folder else "", name))

    def get(self, path: str) -> Object | None:
        """The object of exactly that path."""
        row = self._rows.execute("SELECT size, mtime FROM objects WHERE place = ?", (_place(path),)).fetchone()
        return None if row is None else Object(*row)

    def composed(self, path: str) -> str | None:
        """The path that is there, however the letters of either are composed."""
        for form in _forms(path):
            if self.get(form) is not None:
                return form
        return None

    def is_folder(self, path: str) -> bool:
        """True when something lies below a path."""
        low = _folder_place(f"{path}/")
        return self._any("SELECT 1 FROM objects WHERE place >= ? AND place < ? LIMIT 1", (low, low + b"\xff"))

    def audio(self, after: str | None) -> Iterator[str]:
        """Paths of the audio files in the order of a walk, behind one of them."""
        last = b"" if after is None else _place(after)
        while rows := self._rows.execute(
            "SELECT place, path FROM objects WHERE place > ? AND audio ORDER BY place LIMIT ?", (last, _BATCH)
        ).fetchall():
            yield from (path for _, path in rows)
            last = rows[-1][0]

    def beside(self, path: str) -> dict[str, Object]:
        """What may belong to the same recording as a file: of its folder, its name up to the extension, no audio."""
        folder, slash, name = path.rpartition("/")
        found: dict[str, Object] = {}
        for stem in {form for plain in {stem_of(name), _without(name)} for form in _forms(plain)}:
            low = _place(f"{folder}{slash}{stem}.")[:-1]
            rows = self._rows.execute(
                "SELECT path, size, mtime FROM objects WHERE place >= ? AND place < ? AND NOT audio",
                (low, low[:-1] + b"/"),
            )
            found |= {row[0]: Object(row[1], row[2]) for row in rows}
        return found

    def lists(self, folder: str) -> dict[str, Object]:
        """Lists of transcripts in a folder ("" or with a slash at its end), but none that is one recording's own."""
        found = {}
        for (name,) in self._rows.execute("SELECT name FROM lists WHERE folder = ?", (folder,)).fetchall():
            low = _place(f"{folder}{stem_of(name)}.")[:-1]
            own = "SELECT 1 FROM objects WHERE place >= ? AND place < ? AND audio LIMIT 1"
            if not self._any(own, (low, low[:-1] + b"/")) and (there := self.get(folder + name)) is not None:
                found[folder + name] = there
        return found

    def _any(self, query: str, values: tuple[object, ...]) -> bool:
        return self._rows.execute(query, values).fetchone() is not None

    def close(self) -> None:
        """Let go of the index."""
        self._rows.close()


def _without(name: str) -> str:
    """`call` of `call.wav.json` and of `call.wav`."""
    stem, dot, extension = stem_of(name).rpartition(".")
    return stem if dot and f".{extension.lower()}" in EXTENSIONS else stem_of(name)


def _forms(path: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys((path, unicodedata.normalize("NFC", path), unicodedata.normalize("NFD", path))))


def _folder_place(folder: str) -> bytes:
    return b"".join(b"2" + part.encode() + b"\0" for part in folder.split("/")[:-1])


def _place(path: str) -> bytes:
    """Sorts paths as they are walked on a disk: the files of a folder before its subfolders."""
    folder, slash, name = path.rpartition("/")
    return _folder_place(folder + slash) + b"1" + name.encode("utf-8", "surrogatepass") + b"\0"
