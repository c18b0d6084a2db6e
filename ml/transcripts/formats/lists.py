"""One file with the texts of many recordings, a line each; told from other files by its name and how it begins.

- `trans.txt`, `transcript.txt`, `transcripts.txt`, `transcription.txt`, `transcriptions.txt`: `audio1.wav<TAB>text`
  (the layout of Azure's custom-speech data sets), or a name and text with a space between.
- `84-121123.trans.txt` (LibriSpeech) and `text` (Kaldi): `84-121123-0000 TEXT`, a name without extension.
- `metadata.csv`: `LJ001-0001|text|normalised text` (LJSpeech; the first text is read, because in other data sets of
  that form the third column is something else), or with a header that names a column of recordings and one of texts
  (`file_name,transcription`).

Lists are read line by line and may have any length.
"""

import csv
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import IO

from ml.audio.decode import EXTENSIONS
from ml.transcripts.encoding import MAX_BYTES, encoding_of
from ml.transcripts.errors import TranscriptUnreadable
from ml.transcripts.formats import table
from ml.transcripts.formats.text import is_timed
from ml.transcripts.places import ERRORS, Place, replaced

_NAME = re.compile(r"(?:.+\.)?trans\.txt|transcri(?:pt|ption)s?\.txt|text|metadata\.csv", re.IGNORECASE)
#: Characters of a line; longer ones are left out.
MAX_LINE = 1_000_000
#: Lines from which it is told whether a file is a list.
_SAMPLE = 100


@dataclass(frozen=True, slots=True)
class Entry:
    """What a list says of one recording; `name` is as it is written there, `text` is never empty."""

    number: int
    name: str
    text: str
    place: Place


@dataclass(frozen=True, slots=True)
class Flaw:
    """Why a line, or a part of it, was left out; the sentence never quotes the text."""

    number: int
    sentence: str


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of the file as it stands there, with its end; `offset` and `size` are bytes."""

    number: int
    offset: int
    size: int
    text: str


#: (name, text, where the text begins in the line); None when the line is not of the form.
_Form = Callable[[str], tuple[str, str, int] | None]


def is_list_name(name: str) -> bool:
    """Whether a file of this name may be a list."""
    return _NAME.fullmatch(name) is not None


def read_list(path: Path) -> Iterator[Entry | Flaw]:
    """Entries and flaws in the order of their lines; nothing when the file is something else.

    Raises `TranscriptUnreadable` when it cannot be opened or is not text at all.
    """
    try:
        with path.open("rb") as file:
            encoding, mark = encoding_of(file.read(MAX_BYTES), path.name)
            file.seek(mark)
            with io.TextIOWrapper(file, encoding, ERRORS, newline="") as lines:
                yield from _entries(_lines(lines, encoding, mark), path.name, encoding)
    except OSError as exc:
        raise TranscriptUnreadable(f"{path.name} cannot be opened ({type(exc).__name__})") from exc
    except UnicodeError as exc:
        raise TranscriptUnreadable(f"{path.name} is not in the encoding in which it begins") from exc


def _lines(file: IO[str], encoding: str, offset: int) -> Iterator[_Line | Flaw]:
    number = 0
    while text := file.readline(MAX_LINE):
        number += 1
        size, whole = len(text.encode(encoding, ERRORS)), len(text) < MAX_LINE
        while len(text) == MAX_LINE and not text.endswith(("\n", "\r")) and (text := file.readline(MAX_LINE)):
            size += len(text.encode(encoding, ERRORS))
        if not whole:
            yield Flaw(number, f"it has more than {MAX_LINE:,} characters and is left out")
        else:
            yield _Line(number, offset, size, text)
        offset += size


def _entries(lines: Iterator[_Line | Flaw], name: str, encoding: str) -> Iterator[Entry | Flaw]:
    first = list(islice(lines, _SAMPLE))
    sample = [line.text for line in first if isinstance(line, _Line) and line.text.strip()]
    everything = chain(first, lines)
    if not sample:
        return
    if not name.lower().endswith(".csv"):
        form = _tabbed if sum("\t" in line for line in sample) * 2 >= len(sample) else _spaced
        if _is_list(form, sample):
            yield from _in_lines(form, everything, encoding)
    elif (columns := table.recording_and_text(sample[0])) is not None:
        yield from _in_rows(*columns, everything, encoding)
    elif _is_list(_barred, sample):
        yield from _in_lines(_barred, everything, encoding)


def _is_list(form: _Form, sample: list[str]) -> bool:
    """Whether most lines give something a name, and hardly one twice; prose and `start end text` do not."""
    found = [part for line in sample if (part := form(line)) is not None and not is_timed(line)]
    names = [name for name, _, _ in found if form is not _spaced or is_id(name)]
    return len(names) * 2 > len(sample) and len(set(names)) * 2 >= len(names)


def is_id(name: str) -> bool:
    """Whether a word is rather a recording's name than the first word of a sentence."""
    return name.lower().endswith(tuple(EXTENSIONS)) or any(character.isdigit() for character in name)


def _tabbed(line: str) -> tuple[str, str, int] | None:
    name, tab, rest = line.partition("\t")
    return (name.strip(), rest.strip(), len(line) - len(rest.lstrip())) if tab and name.strip() else None


def _spaced(line: str) -> tuple[str, str, int] | None:
    name, *rest = line.split(None, 1)
    return name, rest[0].rstrip() if rest else "", len(line) - len(rest[0]) if rest else 0


def _barred(line: str) -> tuple[str, str, int] | None:
    name, bar, rest = line.partition("|")
    text = rest.partition("|")[0]
    return (
        (name.strip(), text.strip(), len(name) + 1 + len(text) - len(text.lstrip())) if bar and name.strip() else None
    )


def _in_lines(form: _Form, lines: Iterator[_Line | Flaw], encoding: str) -> Iterator[Entry | Flaw]:
    for line in lines:
        if isinstance(line, Flaw):
            yield line
            continue
        if not line.text.strip():
            continue
        part = form(line.text)
        if part is None or not part[1]:
            yield _not_an_entry(line.number, part is not None)
            continue
        name, text, start = part
        begin = line.offset + len(line.text[:start].encode(encoding, ERRORS))
        place = Place(begin, len(text.encode(encoding, ERRORS)), encoding)
        yield from _checked(Entry(line.number, name, text, place))


def _in_rows(
    sign: str, recording: int, column: int, lines: Iterator[_Line | Flaw], encoding: str
) -> Iterator[Entry | Flaw]:
    """The rows below a header; quoted text may go over many lines."""
    taken: list[_Line] = []
    flaws: list[Flaw] = []

    def texts() -> Iterator[str]:
        for line in lines:
            if isinstance(line, Flaw):
                flaws.append(line)
            else:
                taken.append(line)
                yield line.text

    rows = csv.reader(texts(), delimiter=sign)
    row: list[str] | None = []
    header = True
    while row is not None:
        taken.clear()
        try:
            row = next(rows, None)
        except csv.Error:
            flaws.append(Flaw(taken[0].number, "a quoted cell does not end, or is huge; it is left out"))
            row = []
        yield from flaws
        flaws.clear()
        if not row or not any(cell.strip() for cell in row):
            continue
        if header:
            header = False
            continue
        name, text = (row[at].strip() if at < len(row) else "" for at in (recording, column))
        if not name or not text:
            yield _not_an_entry(taken[0].number, bool(name))
            continue
        place = Place(taken[0].offset, taken[-1].offset + taken[-1].size - taken[0].offset, encoding, sign, column)
        yield from _checked(Entry(taken[0].number, name, text, place))


def _not_an_entry(number: int, named: bool) -> Flaw:
    return Flaw(number, "its recording has no text" if named else "it is not a recording's name and its text")


def _checked(entry: Entry) -> Iterator[Entry | Flaw]:
    if replaced(entry.text) != entry.text:
        yield Flaw(entry.number, "it holds bytes that are not UTF-8")
    yield entry
