"""A manifest's lines as they stand in the file: their encoding, and how many bytes they take."""

import functools
import io
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from ml.transcripts.encoding import marked, unmarked
from ml.transcripts.places import ERRORS, replaced
from workers.errors import ManifestUnreadable

#: Characters of a line, so that a file without line ends does not fill the memory.
MAX_LINE = 1_000_000
#: Bytes of lines with more than ASCII that the encoding is found from.
_SAMPLE = 65_536


def encoding_of(path: Path) -> tuple[str, int, int | None]:
    """An encoding, the length of the mark that says it, and the first line that is not UTF-8, where none does."""
    with path.open("rb") as file:
        if (found := marked(file.read(4))) is not None:
            return *found, None
        broken = next((number for number, line in _beyond_ascii(file) if not _is_utf8(line)), None)
        if broken is None:
            return "utf-8", 0, None
        sample = bytearray()
        for _, line in _beyond_ascii(file):
            sample += line
            if len(sample) > _SAMPLE:
                break
        return unmarked(bytes(sample)), 0, broken


def _beyond_ascii(file: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """Lines of a file that are not ASCII, with their numbers."""
    file.seek(0)
    lines = enumerate(iter(functools.partial(file.readline, MAX_LINE), b""), start=1)
    return ((number, line) for number, line in lines if not line.isascii())


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


class Lines:
    """The physical lines of a file, counted and bounded; the csv module joins those that one record spans.

    `file` is read from where it stands, `offset`. In one that is `damaged`, bytes that are not of the encoding become
    U+FFFD. Raises `ManifestUnreadable`.
    """

    def __init__(self, file: IO[bytes], name: str, encoding: str, offset: int, *, damaged: bool) -> None:
        #: How many were read, and the bytes up to and including them.
        self.count, self.offset = 0, offset
        self.name, self.encoding = name, encoding
        self._errors = ERRORS if damaged else "strict"
        self._text = io.TextIOWrapper(cast("io.BufferedReader", file), encoding, self._errors, newline="")

    def __iter__(self) -> "Lines":
        return self

    def __next__(self) -> str:
        try:
            line = self._text.readline(MAX_LINE)
        except UnicodeError as exc:
            where = f"{self.name}, line {self.count + 1} or soon after"
            raise ManifestUnreadable(f"{where}: it is not in the encoding of what comes before it") from exc
        if not line:
            raise StopIteration
        self.count += 1
        if len(line) == MAX_LINE:
            raise ManifestUnreadable(f"{self.name}, line {self.count}: it has more than {MAX_LINE:,} characters")
        self.offset += len(line.encode(self.encoding, self._errors))
        return line if self._errors == "strict" else replaced(line)
