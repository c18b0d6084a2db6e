"""A corpus's labels into the database: recordings by their content, labels on seconds of them.

A label belongs to a recording, known by its content, so it meets the same recording in any archive that was or will be
analysed, whatever its path. Text without audio has no recording to belong to and stays out.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from sqlalchemy import Connection, Engine

from db import erasures
from db.labels import ABOUT_ERASED, LabelRow, without_erased, write_labels
from ml.corpora.types import LabelledUtterance
from ml.errors import TenorError
from workers.archives.files import Found, look_alone
from workers.archives.recordings import register
from workers.errors import RecordingErased
from workers.ledger.patience import transaction

#: Items per transaction.
CHUNK = 200
#: Both transactions may be repeated; walks that register the same recordings at this moment can cross them.
PATIENCE_S = 5.0


class NoAudio(TenorError):
    """Not one item of a corpus has a recording."""

    code = "corpus_without_audio"
    hint = "Train on it directly; `--dry-run` counts its labels."


@dataclass(slots=True)
class Imported:
    """What became of a corpus's items."""

    items: int = 0
    recordings: int = 0
    #: Labels that were not there in the same form, and those that were.
    changed: int = 0
    unchanged: int = 0
    #: Items without a row of their own, by reason.
    left_out: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Known:
    """A recording of the database; `error_code` when it cannot be read."""

    id: int
    duration_s: float | None
    error_code: str | None


def import_labels(
    engine: Engine,
    items: Sequence[LabelledUtterance],
    *,
    advance: Callable[[int], None] = lambda count: None,
) -> Imported:
    """Register recordings and write labels; once more changes nothing. Raises `NoAudio`.

    Commits a few hundred items at a time, and calls `advance` with how many.
    """
    if not any(item.audio_path is not None for item in items):
        raise NoAudio("none of its items has a recording, and labels in the database belong to recordings")
    imported, given = Imported(items=len(items)), len(items)
    with engine.connect() as conn:
        # Before their files are looked at: not even a hash of those is to be kept.
        gone = erasures.erased(conn, "person", {item.speaker for item in items})
    items = [item for item in items if item.speaker not in gone]
    if len(items) < given:
        imported.left_out[ABOUT_ERASED] = given - len(items)
        advance(given - len(items))
    known: dict[Path, _Known | None] = {}
    keys: set[tuple[object, ...]] = set()
    for start in range(0, len(items), CHUNK):
        chunk = items[start : start + CHUNK]
        # Hashing and probing happen outside of any transaction.
        paths = dict.fromkeys(item.audio_path for item in chunk if item.audio_path is not None)
        looked = {path: look_alone(path) for path in paths if path not in known}
        known |= transaction(engine, partial(_register, looked=looked), patience_s=PATIENCE_S)
        rows = _new_rows(chunk, known, keys, imported.left_out)
        changed, left = transaction(engine, partial(_write, rows=rows), patience_s=PATIENCE_S)
        imported.changed += changed
        imported.unchanged += left - changed
        if left < len(rows):
            imported.left_out[ABOUT_ERASED] = imported.left_out.get(ABOUT_ERASED, 0) + len(rows) - left
        advance(len(chunk))
    imported.recordings = len({key[0] for key in keys})
    return imported


def _write(conn: Connection, rows: Sequence[LabelRow]) -> tuple[int, int]:
    """(rows that were changed, rows that may be there)."""
    left = without_erased(conn, rows)
    return write_labels(conn, left).changed, len(left)


def _register(conn: Connection, looked: dict[Path, Found]) -> dict[Path, _Known | None]:
    erasures.share(conn)
    gone = erasures.erased(conn, "recordings", {file.sha256 for file in looked.values() if file.sha256 is not None})
    found: dict[Path, _Known | None] = {}
    for path, file in looked.items():
        if file.sha256 in gone:
            found[path] = _Known(0, None, RecordingErased.code)
        else:
            row = register(conn, file)
            found[path] = row and _Known(row.id, row.duration_s, row.error_code)
    return found


def _new_rows(
    items: Iterable[LabelledUtterance],
    known: dict[Path, _Known | None],
    keys: set[tuple[object, ...]],
    left_out: dict[str, int],
) -> list[LabelRow]:
    """Rows whose key was not met before; the others are counted."""
    rows = []
    for item in items:
        recording = None if item.audio_path is None else known[item.audio_path]
        reason = _unfit(item, recording)
        if reason is None:
            assert recording is not None
            row = _row(item, recording)
            key = (row.recording_id, row.start_s, row.end_s, row.annotator)
            if key not in keys:
                keys.add(key)
                rows.append(row)
                continue
            reason = "the same audio stands for another item already"
        left_out[reason] = left_out.get(reason, 0) + 1
    return rows


def _unfit(item: LabelledUtterance, recording: _Known | None) -> str | None:
    if item.audio_path is None:
        return "text without audio"
    if not item.says_something:
        return "it has no label, no votes, no arousal and no valence"
    if recording is None:
        return "its audio cannot be opened"
    if recording.error_code is not None:
        return f"its audio cannot be read ({recording.error_code})"
    if item.end_s is None and recording.duration_s is None:
        return "its audio does not say how long it is"
    return None


def _row(item: LabelledUtterance, recording: _Known) -> LabelRow:
    return LabelRow(
        recording_id=recording.id,
        start_s=item.start_s or 0.0,
        end_s=item.end_s or recording.duration_s or 0.0,
        annotator=item.annotator or item.corpus,
        corpus=item.corpus,
        item_id=item.item_id,
        label=item.label,
        source_label=item.source_label,
        arousal=item.arousal,
        valence=item.valence,
        speaker=item.speaker,
        dialogue=item.dialogue,
        session=item.session,
        split=item.split,
        language=item.language,
        note=None,
        shares=item.distribution,
        gender=item.gender,
        style=item.style,
    )
