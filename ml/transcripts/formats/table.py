"""CSV and TSV with a header: columns by common names, in any order, with any of `,` `;` tab `|` between them.

- start: start, begin, from, onset, start_time, StartTime… · end (or duration) · speaker: speaker, spk, who, role… ·
  text: text, transcript, utterance, sentence, words… · recording: recording, file, audio, path… · language.
- A name with a unit (`start_ms`, `end (s)`) has that unit; else times are seconds or `hours:minutes:seconds`. Whisper's
  TSV, a header of exactly `start end text` and whole numbers only, is in milliseconds.
"""

import csv
import io
import re

from ml.transcripts import cleaning
from ml.transcripts.source import Reading, Source
from ml.transcripts.times import BadTimes, seconds, span
from ml.transcripts.types import Turn

_COLUMNS = {
    "start": "start begin from onset starttime begintime startsec tmin xmin offset",
    "end": "end to stop offsettime endtime stoptime endsec tmax xmax",
    "duration": "duration dur length",
    "speaker": "speaker spk speakerid speakername speakerlabel participant role who name",
    "text": "text transcript transcription utterance sentence content words",
    "recording": "recording recordingid file filename audio audiofile path wav dialogue",
    "language": "language lang locale",
}
_ROLES = {name: role for role, names in _COLUMNS.items() for name in names.split()}
_UNIT = re.compile(r"(?P<name>.*?)[\s_]*[\[(]?(?P<unit>ms|msec|milliseconds|s|sec|secs|seconds)[\])]?")
_MILLI = frozenset({"ms", "msec", "milliseconds"})
_WHOLE = re.compile(r"\d+")


def recognises(text: str) -> bool:
    """Whether the first line is a header of a transcript: text, or times and a speaker."""
    header = _header(text)
    if header is None:
        return False
    columns = _columns(next(csv.reader([header[0]], delimiter=header[1])))
    return "text" in columns or {"start", "speaker"} <= columns.keys()


def recording_and_text(header: str) -> tuple[str, int, int] | None:
    """The sign between columns, and which of them name a recording and hold its text; None where one is missing."""
    found = _header(header)
    if found is None:
        return None
    columns = _columns(next(csv.reader([found[0]], delimiter=found[1])))
    if not {"recording", "text"} <= columns.keys() or "start" in columns:
        return None
    return found[1], columns["recording"][0], columns["text"][0]


def read(source: Source) -> Reading:
    """One turn per row."""
    header = _header(source.text)
    if header is None or not recognises(source.text):
        raise source.unreadable(1, "no header with a column for the text, such as `start,end,speaker,text`")
    turns: list[tuple[int, Turn]] = []
    languages: set[str] = set()
    rows = _rows(source, header[1])
    _, names = rows.pop(0)
    columns = _columns(names)
    milliseconds = _is_whisper(names, [row for _, row in rows])
    if "recording" in columns:
        at = columns["recording"][0]
        own = source.chosen(row[at] for _, row in rows if len(row) > at and row[at].strip())
        rows = [(number, row) for number, row in rows if len(row) > at and row[at] == own]
    for number, row in rows:
        cells = {role: row[at] for role, (at, _) in columns.items() if at < len(row)}
        units = {role: 0.001 if milliseconds else unit for role, (_, unit) in columns.items()}
        times: tuple[float, float] | None = None
        try:
            if cells.get("start", "").strip():
                start = seconds(cells["start"], units["start"])
                if cells.get("end", "").strip():
                    times = span(start, seconds(cells["end"], units["end"]))
                else:
                    times = span(start, start + seconds(cells.get("duration"), units.get("duration", 1.0)))
        except BadTimes as exc:
            source.problem(number, str(exc))
            continue
        if cleaning.only_sounds(cells.get("text", "")):
            continue
        languages.add(cells.get("language", "").strip())
        text, speaker = cleaning.said(cells.get("text", "")), cleaning.speaker(cells.get("speaker"))
        turns.append((number, Turn(text, times[0] if times else None, times[1] if times else None, speaker)))
    return Reading(source.alike(turns), languages.pop() if len(languages) == 1 else None)


def _header(text: str) -> tuple[str, str] | None:
    """The first line that holds something, and the sign between its columns."""
    for line in io.StringIO(text[:10_000]):
        if line.strip():
            sign = max("\t,;|", key=line.count)
            return (line.strip("\r\n"), sign) if sign in line else None
    return None


def _rows(source: Source, sign: str) -> list[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(source.text, newline=""), delimiter=sign)
    rows: list[tuple[int, list[str]]] = []
    try:
        # Where a row begins: quoted text may go over many lines.
        begins = 1
        for row in reader:
            if any(cell.strip() for cell in row):
                rows.append((begins, row))
            begins = reader.line_num + 1
    except csv.Error:
        source.problem(reader.line_num, "a quoted cell does not end; the rest is left out")
    return rows


def _columns(names: list[str]) -> dict[str, tuple[int, float]]:
    """Place and unit (in seconds) of each role's first column."""
    columns: dict[str, tuple[int, float]] = {}
    for at, name in enumerate(names):
        plain, unit = name.strip().lower(), 1.0
        match = _UNIT.fullmatch(plain)
        if match is not None and _plain(match.group("name")) in _ROLES:
            plain, unit = match.group("name"), 0.001 if match.group("unit") in _MILLI else 1.0
        role = _ROLES.get(_plain(plain))
        if role is not None:
            columns.setdefault(role, (at, unit))
    return columns


def _plain(name: str) -> str:
    return "".join(character for character in name if character.isalnum())


def _is_whisper(names: list[str], rows: list[list[str]]) -> bool:
    whole = all(_WHOLE.fullmatch(cell.strip()) for row in rows for cell in row[:2])
    return [name.strip().lower() for name in names] == ["start", "end", "text"] and whole
