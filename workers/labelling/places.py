"""Which recording of the database a line of labels is about, and which seconds of it."""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from sqlalchemy import Connection, Row, text

from db.errors import NotFound
from ml.labelling.types import About, Judgement
from ml.transcripts.naming import recording_name
from workers.archives.files import storable_path
from workers.archives.objects.places import is_object_url

#: A time may lie so far behind the end: players and editors round.
PAST_END_S = 0.5
ENQUEUE_FIRST = "the database knows no such recording; enqueue it first"


@dataclass(frozen=True, slots=True)
class Scope:
    """Where paths are looked up: an archive, a job whose utterance numbers count, or everywhere."""

    archive_id: int | None = None
    job_id: int | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """A stretch of a recording."""

    recording_id: int
    sha256: str
    start_s: float
    end_s: float


def scope(conn: Connection, *, job: int | None = None, archive: Path | str | None = None) -> Scope:
    """The scope of `--job` or `--archive`; raises `NotFound`."""
    if job is not None:
        found = conn.execute(text("SELECT archive_id FROM jobs WHERE id = :id"), {"id": job}).scalar()
        if found is None:
            raise NotFound(f"there is no job {job}", hint="`tenor status` lists the jobs there are.")
        return Scope(int(found), job)
    if archive is None:
        return Scope()
    place = str(archive)
    url = place.rstrip("/") if is_object_url(place) else storable_path(str(Path(place).expanduser().absolute()))
    found = conn.execute(text("SELECT id FROM archives WHERE url = :url"), {"url": url}).scalar()
    if found is None:
        raise NotFound(f"{archive} was never enqueued", hint="Enqueue it first: `tenor enqueue PATH`.")
    return Scope(int(found))


class Places:
    """Finds the stretches of many judgements with few queries."""

    def __init__(self, conn: Connection, within: Scope, judgements: Iterable[Judgement]) -> None:
        self._conn, self._scope = conn, within
        judgements = list(judgements)
        self._of_path = _by_path(conn, within, {judgement.about for judgement in judgements})
        wanted = {number for numbers in self._of_path.values() for number in numbers}
        wanted |= {j.about.recording_id for j in judgements if j.about.recording_id is not None}
        hashes = {j.about.sha256 for j in judgements if j.about.sha256 is not None}
        rows = conn.execute(
            text("""
                SELECT id, sha256, duration_s, error_code FROM recordings
                 WHERE id = ANY(CAST(:ids AS bigint[])) OR sha256 = ANY(:hashes)
            """),
            {"ids": list(wanted), "hashes": list(hashes)},
        ).all()
        self._recordings = {row.id: row for row in rows}
        self._of_hash = {row.sha256: row for row in rows}
        numbered = {self._recording(j.about).id for j in judgements if j.utterance_no is not None and self._knows(j)}
        self._utterances = _utterances(conn, within, numbered)

    def find(self, judgement: Judgement) -> Place:
        """Where a judgement belongs, times rounded to milliseconds; raises `ValueError` with the reason."""
        recording = self._recording(judgement.about)
        if recording.error_code is not None:
            raise ValueError(f"the recording cannot be read ({recording.error_code})")
        start_s, end_s = judgement.start_s, judgement.end_s
        if judgement.utterance_no is not None:
            if (recording.id, judgement.utterance_no) not in self._utterances:
                raise ValueError("the recording has no utterance of that number")
            start_s, end_s = self._utterances[recording.id, judgement.utterance_no]
        length = recording.duration_s
        if start_s is None or end_s is None:
            if length is None:
                raise ValueError("the recording does not say how long it is; say which seconds are meant")
            start_s, end_s = 0.0, length
        if length is not None:
            if end_s > length + PAST_END_S or start_s >= length:
                raise ValueError(f"the recording ends at {length:.3f} s")
            end_s = min(end_s, length)
        start_s, end_s = round(start_s, 3), round(end_s, 3)
        if start_s >= end_s:
            raise ValueError("the stretch is shorter than a millisecond")
        return Place(recording.id, recording.sha256, start_s, end_s)

    def _knows(self, judgement: Judgement) -> bool:
        try:
            self._recording(judgement.about)
        except ValueError:
            return False
        return True

    def _recording(self, about: About) -> Row[Any]:
        if about.recording_id is not None:
            row = self._recordings.get(about.recording_id)
        elif about.sha256 is not None:
            row = self._of_hash.get(about.sha256)
        else:
            found = self._of_path.get(about, ())
            if len(found) > 1:
                raise ValueError(
                    f"{len(found)} recordings may be meant; give more of the path, or --archive, --job or sha256"
                )
            row = self._recordings.get(next(iter(found), -1))
        if row is None:
            raise ValueError(ENQUEUE_FIRST)
        return row


def _by_path(conn: Connection, within: Scope, abouts: Iterable[About]) -> dict[About, set[int]]:
    """Recordings that each path may mean: of exactly that path, else of one that ends so, by the first that is met."""
    wanted = {about for about in abouts if about.recording_id is None and about.sha256 is None and about.paths}
    given = {path: _plain(path) for about in wanted for path in about.paths}
    exact: dict[str, set[int]] = {}
    for row in _files(conn, within, list(set(given.values()))):
        exact.setdefault(row.path, set()).add(row.recording_id)
    found = {
        about: next((exact[given[path]] for path in about.paths if given[path] in exact), set()) for about in wanted
    }
    missing = {about for about, recordings in found.items() if not recordings}
    if missing:
        found |= _by_end(conn, within, missing)
    return found


def _by_end(conn: Connection, within: Scope, abouts: Iterable[About]) -> dict[About, set[int]]:
    """Recordings by the end of their path, which takes a look at every file of the scope."""
    wanted: dict[str, list[tuple[About, int]]] = {}
    for about in abouts:
        for place, path in enumerate(about.paths):
            wanted.setdefault(recording_name(path), []).append((about, place))
    ranked: dict[About, dict[int, set[int]]] = {about: {} for about in abouts}
    for row in _files(conn, within, None):
        for about, place in wanted.get(recording_name(row.path), ()):
            if _meant(about, _plain(about.paths[place]), row):
                ranked[about].setdefault(place, set()).add(row.recording_id)
    return {about: places[min(places)] if places else set() for about, places in ranked.items()}


def _meant(about: About, path: str, row: Row[Any]) -> bool:
    if f"{row.url}/{row.path}" == path:
        return True
    given, known = PurePosixPath(path).parts, PurePosixPath(_plain(row.path)).parts
    if about.by_name:
        # Names are the same already, but for letters' case and ending; a URL may be longer than the path.
        short, long = sorted((given[:-1], known[:-1]), key=len)
        return not short or tuple(long[-len(short) :]) == tuple(short)
    return len(given) <= len(known) and known[-len(given) :] == given


def _plain(path: str) -> str:
    """A path as the database has it: with slashes, composed letters, without a leading `./`."""
    return storable_path(unicodedata.normalize("NFC", path.replace("\\", "/")).removeprefix("./"))


def _files(conn: Connection, within: Scope, paths: Sequence[str] | None) -> Iterable[Row[Any]]:
    return conn.execute(
        text("""
            SELECT f.path, f.recording_id, v.url
              FROM archive_files f JOIN archives v ON v.id = f.archive_id
             WHERE f.recording_id IS NOT NULL
               AND (CAST(:archive AS bigint) IS NULL OR f.archive_id = :archive)
               AND (CAST(:paths AS text[]) IS NULL OR f.path = ANY(:paths))
        """),
        {"archive": within.archive_id, "paths": paths},
        execution_options={"yield_per": 5000},
    )


def _utterances(
    conn: Connection, within: Scope, recordings: Iterable[int]
) -> Mapping[tuple[int, int], tuple[float, float]]:
    """Times by (recording, utterance_no): of the job's alignment, else of that which the views show."""
    rows = conn.execute(
        text("""
            SELECT a.recording_id, u.utterance_no, u.start_s, u.end_s
              FROM (SELECT DISTINCT ON (f.recording_id) f.recording_id, al.id
                      FROM archive_files f
                      JOIN alignments al ON al.recording_id = f.recording_id
                                        AND al.transcript_sha256 = f.transcript_sha256 AND al.state = 'done'
                      LEFT JOIN job_recordings jr ON jr.job_id = :job AND jr.file_id = f.id
                                                 AND jr.alignment_id = al.id
                     WHERE f.recording_id = ANY(:ids)
                       AND (CAST(:archive AS bigint) IS NULL OR f.archive_id = :archive)
                     ORDER BY f.recording_id, jr.job_id IS NULL, coalesce(al.options_hash = f.options_hash, false) DESC,
                              al.id DESC) a
              JOIN utterances u ON u.alignment_id = a.id
        """),
        {"ids": list(recordings), "archive": within.archive_id, "job": within.job_id},
    )
    return {(row.recording_id, row.utterance_no): (row.start_s, row.end_s) for row in rows}
