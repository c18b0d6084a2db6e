"""A transcript that is a part of a larger file: where it stands, and how it is read from there.

A list of transcripts may hold a hundred thousand of them. It is read once; whoever needs one of its texts later reads
only that one, at its place.
"""

import csv
import hashlib
import io
import re
from dataclasses import dataclass
from pathlib import Path

from ml.transcripts.errors import TranscriptChanged, TranscriptUnreadable

#: Keeps bytes that are not of the encoding, so that places count right and a broken byte spoils no more than itself.
ERRORS = "surrogateescape"
_SURROGATES = re.compile(r"[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Place:
    """`size` bytes from `offset` on, in `encoding`; in a table, they are a row, and the text is its cell `column`."""

    offset: int
    size: int
    encoding: str
    delimiter: str | None = None
    column: int = 0


@dataclass(frozen=True, slots=True)
class Excerpt:
    """One recording's text in a file that holds those of many; `sha256` is its `text_hash`."""

    path: Path
    place: Place
    sha256: str


def text_hash(text: str) -> str:
    """SHA-256 of a text, as hex; another one than that of a file which holds the same, since that may be read in
    another way (`1 2 three`)."""
    return hashlib.sha256(b"excerpt\0" + replaced(text).encode()).hexdigest()


def replaced(text: str) -> str:
    """The text with U+FFFD for bytes that were kept as they are."""
    return _SURROGATES.sub("\ufffd", text)


def text_of(excerpt: Excerpt) -> str:
    """The text as it stands there, U+FFFD for bytes that are not of its encoding.

    Raises `TranscriptUnreadable` when the file is gone, and `TranscriptChanged` when it holds something else there.
    """
    name, place = excerpt.path.name, excerpt.place
    try:
        with excerpt.path.open("rb") as file:
            file.seek(place.offset)
            raw = file.read(place.size)
    except OSError as exc:
        raise TranscriptUnreadable(f"{name} cannot be opened ({type(exc).__name__})") from exc
    try:
        text = raw.decode(place.encoding, ERRORS)
        if place.delimiter is not None:
            row = next(csv.reader(io.StringIO(text, newline=""), delimiter=place.delimiter), [])
            text = row[place.column].strip() if place.column < len(row) else ""
    except (UnicodeError, csv.Error):
        text = ""
    if text_hash(text) != excerpt.sha256:
        raise TranscriptChanged(f"the lines of {name} were changed after it was enqueued")
    return replaced(text)
