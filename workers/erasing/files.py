"""Files that hold something of what is erased: clips, objects between stages, caches, unpacked archives."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

from workers import artifacts
from workers.archives import roots
from workers.archives.files import located
from workers.archives.packed import Store
from workers.erasing.traces import Traces
from workers.settings import Settings

#: Below the folder of models: clips that runs have cut, and what they have heard of voices, which says not whose.
CLIPS, VOICES = "clips", ("voices", "voices-heard")


@dataclass(frozen=True, slots=True)
class Files:
    """How many there are; of caches, everything that may hold something of it."""

    clips: int
    batches: int
    cached: int
    unpacked: int


def look(settings: Settings, traces: Traces) -> Files:
    """What `remove` would remove."""
    clips = len(list(_clips(settings, traces)))
    store = Store.of(settings)
    return Files(
        clips,
        len(traces.batches.intersection(artifacts.batches(settings.artifacts))),
        len(list(_cached(settings, traces))) if clips or traces.items else 0,
        sum(store.place(sha256).is_dir() for sha256 in traces.packed),
    )


def remove(conn: Connection, settings: Settings, traces: Traces) -> Files:
    """Delete them; again, it deletes what is left. Raises `OSError` where one cannot be deleted.

    Of an unpacked archive that a live job works on, only the recordings and transcripts themselves.
    """
    found = look(settings, traces)
    # Caches first: what they hold is known by the clips.
    if found.cached:
        for path in list(_cached(settings, traces)):
            path.unlink(missing_ok=True)
    for path in list(_clips(settings, traces)):
        path.unlink(missing_ok=True)
    for batch_id in traces.batches:
        artifacts.remove_batch(settings.artifacts, batch_id)
    if traces.objects:
        shutil.rmtree(settings.scratch / "objects", ignore_errors=True)
    store, wanted = Store.of(settings), set(roots.wanted(conn))
    for sha256 in traces.packed - wanted:
        store.forget(sha256)
    for member in traces.members:
        sha256, _, inside = member.partition("/")
        located(store.place(sha256), inside).unlink(missing_ok=True)
    return found


def _clips(settings: Settings, traces: Traces) -> Iterator[Path]:
    # One folder for each channel; drafts that a killed process left have a dot before the name.
    for path in (settings.models / CLIPS).glob("*/*.flac*"):
        if traces.has_clip(path.name.lstrip(".")):
            yield path
    for path in (settings.models / CLIPS).glob("*/.*"):
        if traces.has_clip(path.name.lstrip(".").rpartition(".flac")[0] + ".flac"):
            yield path


def _cached(settings: Settings, traces: Traces) -> Iterator[Path]:
    for folder in VOICES:
        for path in (settings.models / folder).glob("*"):
            if path.is_file():
                yield path
