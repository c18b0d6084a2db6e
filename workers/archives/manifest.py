"""`manifest.csv`: what an archive's owner says about its recordings, read line by line.

Columns are named in the first line, in any order. `path` is needed; `transcript`, `text`, `language`, `channels`,
`speaker`, `speakers`, `dialogue` and `recorded_at` are understood; every other column becomes metadata of the
recording. Paths are relative to the manifest's own folder. A line that cannot be followed in part is followed in the
rest.
"""

import csv
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ml.languages import LanguageUnknown, standard_language
from ml.transcripts.places import Excerpt, Place, text_hash
from workers.archives.lines import Lines, encoding_of
from workers.errors import ManifestUnreadable

#: Where a manifest lies, at the top of an archive.
NAMES = ("manifest.csv", "manifest.tsv")
COLUMNS = ("path", "transcript", "text", "language", "channels", "speaker", "speakers", "dialogue", "recorded_at")
CHANNELS = ("auto", "split", "mix")
#: More voices than this in one recording are a slip of the pen.
MAX_SPEAKERS = 100
#: Longer names and paths than this are text in the wrong column.
MAX_NAME, MAX_PATH = 200, 4096
#: Sound has been recorded since then; what is far outside is no date.
FIRST_YEAR, LAST_YEAR = 1850, 2999
#: Said of a transcript that is not the archive's own.
OUTSIDE = "its transcript leads out of the archive and is left out; paths are relative to the manifest's folder"
_GUESSED = "it is not UTF-8; the file is read as {}, a guess. Save it as UTF-8 if names look wrong"
_DAMAGED = "it holds bytes that are not UTF-8, as perhaps later lines do; they are replaced by \ufffd"
_DELIMITERS = ",;\t|"


@dataclass(frozen=True, slots=True)
class Line:
    """What one line says about one recording; None and empty: nothing.

    `path` and `transcript` are relative to the manifest's folder, with `/`, in Unicode's composed form (NFC).
    """

    number: int
    path: str
    transcript: str | None = None
    #: Where the line itself holds the transcript.
    text: Excerpt | None = None
    dialogue: str | None = None
    recorded_at: datetime | None = None
    #: Fields of `AlignOptions` that go before the job's.
    options: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a line could not be followed, in part or at all; the sentence quotes nothing from it."""

    number: int
    code: str
    sentence: str
    #: The recording that the line is about, where it says so.
    path: str = ""
    #: A list of transcripts within the archive; "": the manifest.
    file: str = ""


def find_manifest(root: Path) -> Path | None:
    """The manifest of an archive's folder; raises `ManifestUnreadable` when there are two."""
    found = [root / name for name in NAMES if (root / name).is_file()]
    if len(found) > 1:
        raise ManifestUnreadable(
            f"there are both {NAMES[0]} and {NAMES[1]}", hint="Keep one of them and enqueue the archive again."
        )
    return found[0] if found else None


def read_manifest(path: Path) -> Iterator[Line | Problem]:
    """Lines in their order, with problems between them; memory does not grow with the file.

    Encoding (by byte order mark, else as of transcripts) and delimiter (comma, semicolon, tab or bar, the one that
    makes a column `path` of the first line) are detected. Raises `ManifestUnreadable` when nothing
    can be made of the file.
    """
    try:
        encoding, mark, broken = encoding_of(path)
        damaged = encoding == "utf-8" and broken is not None
        if broken is not None:
            yield Problem(broken, "manifest_encoding", _DAMAGED if damaged else _GUESSED.format(encoding))
        with path.open("rb") as file:
            file.seek(mark)
            yield from _records(Lines(file, path.name, encoding, mark, damaged=damaged), path)
    except (FileNotFoundError, PermissionError) as exc:
        raise ManifestUnreadable(f"{path.name} cannot be opened ({type(exc).__name__})") from exc


def _records(lines: Lines, path: Path) -> Iterator[Line | Problem]:
    columns, delimiter = _header(lines, path.name)
    column = columns.index("text") if "text" in columns else None
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        number, offset = lines.count + 1, lines.offset
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield Problem(number, "manifest_quotes", _quotes_wrong(number, lines.count))
            continue
        text = None
        if column is not None and column < len(cells) and (said := cells[column].strip()):
            place = Place(offset, lines.offset - offset, lines.encoding, delimiter, column)
            text = Excerpt(path, place, text_hash(said))
        if any(cell.strip() for cell in cells):
            yield from _line(number, columns, cells, text)


def _quotes_wrong(first: int, last: int) -> str:
    where = "it" if first >= last else f"it and the lines up to {last}"
    return f"{where} cannot be read: quotation marks do not pair, or a cell is huge; double those inside of a cell"


def _header(lines: Lines, name: str) -> tuple[list[str], str]:
    """(names of the columns, delimiter) from the first line that is not empty."""
    first = next((line for line in lines if line.strip()), None)
    if first is None:
        raise ManifestUnreadable(f"{name} is empty")
    if re.match(r"sep=.\s*$", first):
        # Excel's own way of telling the delimiter.
        first = next(lines, "")
    choices = []
    for delimiter in _DELIMITERS:
        try:
            cells = next(csv.reader([first], delimiter=delimiter), [])
        except csv.Error:
            continue
        columns = [_text(cell) for cell in cells]
        columns = [column.lower() if column.lower() in COLUMNS else column for column in columns]
        if "path" in columns:
            choices.append((len(columns), columns, delimiter))
    if not choices:
        raise ManifestUnreadable(f"{name}, line {lines.count}: it names no column `path`")
    _, columns, delimiter = max(choices)
    named = [column for column in columns if column]
    if twice := sorted({column for column in named if named.count(column) > 1}):
        known = [column for column in twice if column in COLUMNS]
        which = f" `{known[0]}`" if known else ""
        raise ManifestUnreadable(f"{name}, line {lines.count}: it names the same column{which} twice")
    return columns, delimiter


def _line(number: int, columns: Sequence[str], cells: Sequence[str], text: Excerpt | None) -> Iterator[Line | Problem]:
    said = {column: value for column, cell in zip(columns, cells, strict=False) if column and (value := _text(cell))}
    path = relative_path(said.pop("path", ""))
    problems: list[Problem] = []

    def problem(code: str, sentence: str) -> None:
        problems.append(Problem(number, f"manifest_{code}", sentence, path or ""))

    if any(cell.strip() for cell in cells[len(columns) :]):
        problem("columns", "it has more cells than the first line; those that are too many are left out")
    if any("\0" in cell for cell in cells):
        problem("text", "it holds zero bytes; they are left out")
    if path is None:
        problem("path", "its path is empty or leads out of the archive; paths are relative to the manifest's folder")
        yield from problems
        return
    transcript = None
    if "transcript" in said:
        transcript = relative_path(said.pop("transcript"))
        if transcript is None:
            problem("transcript", OUTSIDE)
    if said.pop("text", None) is not None and transcript is not None:
        problem("text", "it has both a text and a transcript; the text is left out")
        text = None
    recorded_at = None
    if "recorded_at" in said:
        recorded_at = _moment(said.pop("recorded_at"))
        if recorded_at is None:
            problem(
                "recorded_at", "its recorded_at is not a date of ISO 8601 such as 2026-03-01 or 2026-03-01T14:30+01:00"
            )
    dialogue = said.pop("dialogue", None)
    options: dict[str, Any] = {}
    if "language" in said:
        try:
            options["language"] = standard_language(said.pop("language"))
        except LanguageUnknown:
            problem("language", "its language is not a code of ISO 639, such as en; the job's is used")
    if "channels" in said:
        if (channels := said.pop("channels").lower()) in CHANNELS:
            options["channels"] = channels
        else:
            problem("channels", "its channels are none of auto, split and mix; the job's are used")
    speakers = said.pop("speakers", None)
    if speakers is not None:
        if re.fullmatch(r"[0-9]{1,3}", speakers) and 1 <= int(speakers) <= MAX_SPEAKERS:
            options["speakers"] = int(speakers)
        else:
            problem("speakers", f"its speakers are not a number from 1 to {MAX_SPEAKERS}; they are counted by ear")
    if "speaker" in said:
        name = said.pop("speaker")
        if len(name) > MAX_NAME:
            problem("speaker", f"its speaker's name has more than {MAX_NAME} characters; it is left out")
        elif options.get("speakers", 1) > 1:
            problem("speaker", "it names the one speaker and says that there are more; the name is left out")
        else:
            options |= {"speaker": name, "speakers": 1}
    yield from problems
    yield Line(number, path, transcript, text, dialogue, recorded_at, options, said)


def relative_path(written: str) -> str | None:
    """A path as somebody wrote it, without `.`; None when it is empty, absolute or leads upwards.

    Backslashes are those of Windows.
    """
    written = written.replace("\\", "/")
    if not written or written[0] == "/" or written[1:2] == ":" or len(written) > MAX_PATH:
        return None
    # By hand: pathlib takes longer than all else that is done to a line.
    parts = [part for part in written.split("/") if part not in ("", ".")]
    return None if ".." in parts or not parts else "/".join(parts)


def _text(cell: str) -> str:
    """A cell as it is kept: without zero bytes, which Postgres does not take, and composed."""
    cell = cell.replace("\0", "").strip()
    return cell if cell.isascii() else unicodedata.normalize("NFC", cell.removeprefix("\ufeff"))


def _moment(written: str) -> datetime | None:
    """An instant; without a zone it is taken as UTC."""
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        return None
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
