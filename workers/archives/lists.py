"""Lists of transcripts that a walk comes by, each read once.

What a list says is kept in an index on disk as long as the walk is in its folder or below. The index holds where each
text stands, not the texts.
"""

import json
from collections.abc import Iterator, Set
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

from ml.transcripts.errors import TranscriptUnreadable
from ml.transcripts.formats.lists import Entry, is_id, read_list
from ml.transcripts.lists import excerpt, key_of, keys_of, lists_in, plain
from ml.transcripts.places import Excerpt, Place
from workers.archives.manifest import Problem
from workers.archives.scratch import scratch, writing

#: Problems that are told of one list; of more, only how many there are.
MAX_PROBLEMS = 100
#: Names that are told of a list that is about other recordings.
FIRST_NAMES = 3
_WHAT = "a list of transcripts"
_ROW = "key, file, number, place, sha256, used"


class Lists:
    """The lists of an archive, by folder; a walk asks for the recordings in its order.

    `after` is the path that an earlier walk came to. What that has found in the folders it stopped in is not known.
    """

    def __init__(self, root: Path, after: str | None = None) -> None:
        self._root = root
        self._begun = set() if after is None else set(folders_of(after))
        self._open: dict[str, _Folder | None] = {}

    def find(self, path: str) -> tuple[Excerpt | None, tuple[Problem, ...]]:
        """The text of a recording (its path within the archive), and what is wrong with the list that has it.

        The nearest list goes first: that of the recording's folder, then of those above. Problems are told once.
        Raises `DiskFull`.
        """
        folders = list(folders_of(path))
        problems = self._leave(self._open.keys() - set(folders))
        for folder in folders:
            if folder not in self._open:
                files = lists_in(self._root / folder)
                self._open[folder] = _Folder(self._root, folder, files) if files else None
            lists = self._open[folder]
            found = None if lists is None else lists.find(path[len(folder) :], problems)
            if found is not None:
                return found, tuple(problems)
        return None, tuple(problems)

    def end(self) -> list[Problem]:
        """What there is to tell once every recording has been asked for."""
        return self._leave(set(self._open))

    def _leave(self, folders: Set[str]) -> list[Problem]:
        problems: list[Problem] = []
        for folder in sorted(folders):
            if (closed := self._open.pop(folder)) is not None:
                problems += () if folder in self._begun else closed.idle()
                closed.close()
        return problems


class _Folder:
    """The lists of one folder ("" or ending with "/") as one index."""

    def __init__(self, root: Path, folder: str, files: list[Path]) -> None:
        self._files = files
        self._names = [folder + file.name for file in files]
        #: What is wrong with files of which nothing can be used, and with lines of the others.
        self._unread: list[Problem] = []
        self._flaws: dict[int, list[Problem]] = {}
        self._index = scratch(
            "CREATE TABLE lines (key TEXT PRIMARY KEY, plain TEXT, file INTEGER, number INTEGER, place TEXT,"
            " sha256 TEXT, used TEXT) WITHOUT ROWID",
            "CREATE INDEX by_plain ON lines (plain)",
        )
        with writing(_WHAT):
            for number in range(len(files)):
                self._fill(number)

    def close(self) -> None:
        """Let go of the index."""
        self._index.close()

    def _fill(self, file: int) -> None:
        count = last = 0
        flaws: list[Problem] = []
        try:
            for item in read_list(self._files[file]):
                last = item.number
                sentence = self._add(file, item) if isinstance(item, Entry) else item.sentence
                if sentence is None:
                    continue
                count += 1
                # One more than are told: a single one is said rather than counted.
                if count <= MAX_PROBLEMS + 1:
                    flaws.append(self._problem(file, item.number, "transcript_line", sentence))
        except TranscriptUnreadable as exc:
            self._unread.append(self._problem(file, last, "transcript_list_unreadable", str(exc)))
        if count > MAX_PROBLEMS + 1:
            said = f"up to here, {count - MAX_PROBLEMS:,} more lines have problems"
            flaws[MAX_PROBLEMS:] = [self._problem(file, last, "transcript_lines", said)]
        self._flaws[file] = flaws

    def _add(self, file: int, entry: Entry) -> str | None:
        """Take an entry; a sentence when that cannot be done."""
        key = key_of(entry.name)
        if key is None:
            return "its name leads out of the list's folder, or is none"
        found = excerpt(self._files[file], entry)
        row = (key, plain(key), file, entry.number, json.dumps(asdict(found.place)), found.sha256)
        if self._index.execute("INSERT OR IGNORE INTO lines VALUES (?, ?, ?, ?, ?, ?, NULL)", row).rowcount:
            return None
        first, number = self._index.execute("SELECT file, number FROM lines WHERE key = ?", (key,)).fetchone()
        where = "" if first == file else f" of {self._names[first]}"
        return f"line {number}{where} is about the same recording; this one is left out"

    def find(self, path: str, problems: list[Problem]) -> Excerpt | None:
        """The text of a recording (its path within the folder); what there is to tell goes to `problems`."""
        problems += self._unread
        self._unread = []
        row = self._line(path)
        if row is None:
            return None
        key, file, number, place, sha256, used = row
        # A file is certainly a list of this folder's recordings when it names one of them.
        problems += self._flaws.pop(file, [])
        inner = path.rpartition("/")[0]
        if "/" not in key and used not in (None, inner):
            said = (
                "more than one folder has a recording of this name; only the first gets the text. Write the folder too"
            )
            problems.append(self._problem(file, number, "transcript_name_twice", said))
            return None
        with writing(_WHAT):
            self._index.execute("UPDATE lines SET used = ? WHERE key = ?", (inner, key))
        return Excerpt(self._files[file], Place(**json.loads(place)), sha256)

    def idle(self) -> Iterator[Problem]:
        """A problem for every list that named no recording that was asked for."""
        used = "SELECT EXISTS (SELECT 1 FROM lines WHERE file = ? AND used IS NOT NULL)"
        for file in range(len(self._files)):
            if self._index.execute(used, (file,)).fetchone()[0]:
                continue
            names = self._index.execute("SELECT key FROM lines WHERE file = ? ORDER BY number", (file,))
            # Words are not told: they may be a text's, which then is no list.
            first = list(islice((name for (name,) in names if is_id(name)), FIRST_NAMES))
            if first:
                said = (
                    f"it names no recording of this folder that has no transcript of its own; its first names are "
                    f"{', '.join(first)}"
                )
                yield self._problem(file, 0, "transcript_list_unused", said)

    def _line(self, path: str) -> Any:
        keys = keys_of(path)
        marks = ", ".join("?" * len(keys))
        try:
            rows = self._index.execute(f"SELECT {_ROW} FROM lines WHERE key IN ({marks})", keys).fetchall()
            if rows:
                return min(rows, key=lambda row: keys.index(row[0]))
            # Converted to another format; of two such names nobody knows which is meant.
            rows = self._index.execute(f"SELECT {_ROW} FROM lines WHERE plain IN ({marks}) LIMIT 2", keys).fetchall()
        except UnicodeEncodeError:
            # A file name that is not UTF-8.
            return None
        return rows[0] if len(rows) == 1 else None

    def _problem(self, file: int, number: int, code: str, sentence: str) -> Problem:
        return Problem(number, code, sentence, file=self._names[file])


def folders_of(path: str) -> Iterator[str]:
    """The folder of a path and those above it, the nearest first."""
    while path:
        path = path[:-1].rpartition("/")[0]
        path += "/" if path else ""
        yield path
