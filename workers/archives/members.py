"""The recordings of a group, and what align has to know of each."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Row, text

from ml.transcripts import Excerpt, Place
from workers import context
from workers.archives import roots
from workers.archives.files import located


@dataclass(frozen=True, slots=True)
class Member:
    """A recording of the group and where to read it."""

    alignment_id: int
    recording_id: int
    sha256: str
    seconds: float
    options: dict[str, Any]
    audio: Path
    transcript: Path | Excerpt | None
    size_bytes: int
    mtime_ns: int
    #: While it lasts, audio and transcript can be read. Raises a `RecordingError` or `StoreUnavailable`.
    here: Callable[[], AbstractContextManager[None]] = nullcontext


def members_of(group_id: int) -> list[Member]:
    """The recordings of a group that are still to be aligned, in its order."""
    with context.engine().connect() as conn:
        rows = conn.execute(
            text(f"""
                SELECT a.id, a.recording_id, coalesce(r.duration_s, 0) AS seconds, a.options, {roots.COLUMNS},
                       f.transcript_path, f.transcript_place, a.transcript_sha256
                  FROM group_members m
                  JOIN alignments a ON a.id = m.alignment_id AND a.state = 'pending' {roots.OF_ALIGNMENT}
                 WHERE m.group_id = :group ORDER BY m.position
            """),
            {"group": group_id},
        ).all()
    root = roots.finder(context.settings())
    return [
        Member(
            row.id,
            row.recording_id,
            row.sha256,
            row.seconds,
            row.options,
            located(root(row).folder, row.path),
            _transcript(root(row).folder, row),
            row.size_bytes,
            row.mtime_ns,
            partial(root(row).here, row.path, row.transcript_path),
        )
        for row in rows
    ]


def _transcript(root: Path, row: Row[Any]) -> Path | Excerpt | None:
    if row.transcript_path is None:
        return None
    path = located(root, row.transcript_path)
    if row.transcript_place is None:
        return path
    return Excerpt(path, Place(**row.transcript_place), row.transcript_sha256)
