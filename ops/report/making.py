"""A report from the database to a file."""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from sqlalchemy import Engine

from db.engine import reading
from ops.exporting import whole
from ops.report.content import read
from ops.report.finding import Target, find
from ops.report.page import page
from ops.report.sound import waveform
from ops.report.strips import COLUMNS, drawn, overview, strips_of
from workers.settings import Settings

#: Bytes; file systems take 255, with what is added.
LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class Report:
    """What was written."""

    #: None: standard output.
    place: Path | None
    archive: str
    recording: str
    recording_id: int
    job_id: int | None
    profile: str
    version: int
    utterances: int
    #: Why there is no waveform; None where there is one.
    silent: str | None


def report(engine: Engine, settings: Settings, name: str, *, job: int | None = None, out: Path | None = None) -> Report:
    """Write the report of a recording; without `out` it is named after the recording, here; `-` is standard output.

    Raises what `find` raises, and `ExportFailed`.
    """
    with reading(engine) as conn:
        target = find(conn, name, job)
        content = read(conn, target)
        lines = strips_of(content.duration_s)
        peaks, silent = waveform(conn, settings, target, lines[0].full_s / COLUMNS, COLUMNS * len(lines))
    html = page(content, drawn(content, lines, peaks), overview(content, lines, peaks), silent)
    place = None if str(out) == "-" else (out or named(target)).expanduser().absolute()
    with whole(place) as file:
        file.write(html.encode())
    return Report(
        place=place,
        archive=target.archive,
        recording=target.path,
        recording_id=target.recording_id,
        job_id=target.job_id,
        profile=target.profile,
        version=target.version,
        utterances=len(content.utterances),
        silent=silent or None,
    )


def named(target: Target) -> Path:
    """`calls/0017.wav` is reported in `calls-0017.report.html`, here."""
    name = "-".join(PurePosixPath(target.path).with_suffix("").parts)
    return Path(name.encode()[-LONGEST_NAME:].decode(errors="ignore") + ".report.html")
