"""What is meant to be erased: recordings by path or number, or a person by name."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from sqlalchemy import Connection, text

from db.errors import NotFound
from ml.errors import TenorError
from workers.archives.files import storable_path
from workers.archives.objects.places import is_object_url
from workers.erasing import person


class RecordingAmbiguous(TenorError):
    """A path within archives means several recordings."""

    code = "recording_ambiguous"
    hint = "Give the whole path, or the recording's number (`recording_id` in utterance_emotions)."


@dataclass(frozen=True, slots=True)
class Chosen:
    """Recordings by id, or a person with the alignments that they are heard in."""

    recordings: tuple[int, ...] = ()
    name: str | None = None
    alignments: tuple[int, ...] = ()


def recordings(conn: Connection, wanted: Sequence[str]) -> Chosen:
    """Recordings by number, by whole path of a file or folder, or by path within an archive, as views have it.

    A path stands for what it holds and, where its file was replaced, for what it held, unless that lies elsewhere now.
    Raises `NotFound` or `RecordingAmbiguous`.
    """
    found: set[int] = set()
    for one in wanted:
        found |= _numbered(conn, one) if one.isdigit() else _at(conn, one)
    return Chosen(tuple(sorted(found)))


def somebody(conn: Connection, name: str) -> Chosen:
    """A person by the name that transcripts, manifests or labels give; raises `NotFound`."""
    alignments = person.alignments_of(conn, name)
    known = (
        alignments
        or conn.execute(
            text("""
            SELECT EXISTS (SELECT FROM speakers WHERE name = :name AND recording_id IS NULL)
                OR EXISTS (SELECT FROM labels WHERE speaker = ANY(:names))
                OR EXISTS (SELECT FROM alignments WHERE options ->> 'speaker' = :name)
        """),
            {"name": name, "names": person.names_of(name)},
        ).scalar()
    )
    if not known:
        names = conn.execute(text("SELECT DISTINCT name FROM speakers WHERE recording_id IS NULL")).scalars()
        folded = {one.casefold(): one for one in names}
        near = [folded[one] for one in get_close_matches(name.casefold(), folded)]
        perhaps = f"; perhaps {' or '.join(near)}" if near else ""
        raise NotFound(
            f"nobody is called {name} in transcripts, manifests or labels{perhaps}",
            hint='`tenor sql "select distinct speaker from utterance_emotions"` lists names; a voice without one goes'
            " with its recording.",
        )
    return Chosen(name=name, alignments=tuple(alignments))


def _numbered(conn: Connection, number: str) -> set[int]:
    found = conn.execute(text("SELECT id FROM recordings WHERE id = :id"), {"id": int(number)}).scalar()
    if found is None:
        raise NotFound(
            f"there is no recording {number}", hint="Numbers are those of recording_id in utterance_emotions."
        )
    return {int(found)}


def _at(conn: Connection, path: str) -> set[int]:
    # As it was typed, which is how it was enqueued, and as it leads there.
    given = Path(path).expanduser().absolute()
    for place in [path.rstrip("/")] if is_object_url(path) else [str(given), str(given.resolve())]:
        if found := _holding(conn, "w.place = :path OR starts_with(w.place, :below)", storable_path(place)):
            return found
    # As the views have it.
    found = _holding(conn, "f.path = :path", storable_path(path.removeprefix("./")))
    if len(found) > 1:
        raise RecordingAmbiguous(f"{path} is the path of {len(found)} recordings in different archives")
    if not found:
        raise NotFound(
            f"no recording was enqueued from {path}",
            hint="Give a path as it was enqueued, a path as views show it, or a recording's number.",
        )
    return found


def _holding(conn: Connection, condition: str, path: str) -> set[int]:
    rows = conn.execute(
        text(f"""
            WITH files AS (
                SELECT f.id, f.recording_id FROM archive_files f JOIN archives a ON a.id = f.archive_id
                 CROSS JOIN LATERAL (SELECT rtrim(a.url, '/') || '/' || f.path AS place) w
                 WHERE {condition} OR a.url = :path)
            SELECT recording_id FROM files WHERE recording_id IS NOT NULL
             UNION
            SELECT e.id FROM recordings e
             WHERE e.id IN (SELECT r.recording_id FROM job_recordings r JOIN files ON files.id = r.file_id
                             UNION SELECT a.recording_id FROM alignments a JOIN files ON files.id = a.source_file_id)
               AND NOT EXISTS (SELECT FROM archive_files o WHERE o.recording_id = e.id)
        """),
        {"path": path, "below": f"{path}/"},
    )
    return {int(row.recording_id) for row in rows}
