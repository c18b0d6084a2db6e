"""Labels of the database as items to train on: resolved, with the audio of the archives they are about."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, text

from db.targets import Target, targets
from ml.audio.clips import clip_name, write_clip
from ml.corpora.types import LabelledUtterance, Skipped
from ml.errors import RecordingError
from workers import context
from workers.archives import roots
from workers.archives.files import check_unchanged, located

#: Telephones take so many samples a second; more of them can hold more than a telephone lets through.
TELEPHONE_HZ = 8000
_SIDES = ("left", "right")
#: Files whose places are asked for at once.
_CHUNK = 1000


def labelled_utterances(
    conn: Connection,
    *,
    archives: Sequence[int] | None = None,
    since: datetime | None = None,
    clips: Path | None = None,
    skipped: Skipped | None = None,
) -> list[LabelledUtterance]:
    """One item for each labelled stretch of recordings in these archives (None: all), fit for `manifest.freeze`.

    `since` leaves out stretches about which nothing was said after that. `speaker` is the same for one person wherever
    the labels, the manifest or a transcript name him; a voice without a name is a person of its recording alone.

    Without `clips`, an item is a stretch of the archive's file, with all its channels; of an archive in an object
    store, the file is not there any more when this returns. With it, each stretch is cut
    into that folder (FLAC, 16 kHz, the speaker's own channel) unless it lies there, and the item is that file: for
    trainers that do not read video, and that must not hear the other party. What cannot be read is counted in
    `skipped`.
    """
    found = list(targets(conn, archives=archives, since=since))
    return [item for _, item in items_of(conn, found, clips=clips, skipped=skipped)]


def items_of(
    conn: Connection,
    found: Sequence[Target],
    *,
    clips: Path | None = None,
    skipped: Skipped | None = None,
    counted: Callable[[int, int], None] = lambda _done, _of: None,
) -> list[tuple[Target, LabelledUtterance]]:
    """Each target whose sound can be had, and its item; `counted` is told how many of how many were looked for."""
    skipped = Skipped() if skipped is None else skipped
    items = []
    for done, (target, row, root) in enumerate(_with_audio(conn, found)):
        counted(done, len(found))
        audio = located(root.folder, row.path)
        try:
            with root.here(row.path):
                check_unchanged(audio, row.size_bytes, row.mtime_ns, row.sha256)
                if not audio.is_file():
                    skipped.add("its file is not there", audio)
                    continue
                item = _item(target, audio)
                items.append((target, item if clips is None else _cut(item, target, clips)))
        except RecordingError as exc:
            skipped.add(str(exc), audio)
    return items


def _with_audio(conn: Connection, found: Sequence[Target]) -> Iterator[tuple[Target, Row[Any], roots.Root]]:
    root = roots.finder(context.settings())
    for start in range(0, len(found), _CHUNK):
        chunk = found[start : start + _CHUNK]
        rows = conn.execute(
            text(f"""
                SELECT f.id, {roots.COLUMNS}
                  FROM archive_files f
                  JOIN archives v ON v.id = f.archive_id
                  JOIN recordings r ON r.id = f.recording_id
                 WHERE f.id = ANY(:ids)
            """),
            {"ids": [target.file_id for target in chunk]},
        )
        places = {row.id: row for row in rows}
        for target in chunk:
            row = places[target.file_id]
            yield target, row, root(row)


def _item(target: Target, audio: Path) -> LabelledUtterance:
    return LabelledUtterance(
        corpus=target.corpus,
        item_id=target.item_id,
        speaker=speaker_of(target),
        label=target.label,
        language=target.language or "und",
        audio_path=audio,
        text=target.text,
        split=target.split,
        start_s=target.start_s,
        end_s=target.end_s,
        distribution=target.shares,
        arousal=target.arousal,
        valence=target.valence,
        dialogue=target.dialogue or f"recording-{target.recording_sha256[:16]}",
        session=target.session,
        gender=target.gender,
        style=target.style,
        band=_band(target),
        channel=_channel(target),
        source_label=target.source_label,
        # Several people's judgement has no one name.
        annotator=target.annotators[0] if len(target.annotators) == 1 else None,
    )


def speaker_of(target: Target) -> str:
    """Unique across corpora and archives: splits are by speaker."""
    if target.speaker:
        return target.speaker
    if target.voice is None:
        return f"recording-{target.recording_sha256[:16]}"
    return f"archive-{target.voice}" if target.voice_is_named else f"{target.recording_sha256[:16]}-{target.voice}"


def _band(target: Target) -> str | None:
    if target.sample_rate is None:
        return None
    return "telephone" if target.sample_rate <= TELEPHONE_HZ else "wideband"


def _channel(target: Target) -> str | None:
    """Which part of the recording is heard; each side of a call has a line and a microphone of its own."""
    if target.channels is None:
        return None
    if target.channels == 1:
        return "mono"
    if target.channel is None:
        return "mixed"
    return _SIDES[target.channel] if target.channels == len(_SIDES) else f"channel {target.channel + 1}"


def _cut(item: LabelledUtterance, target: Target, folder: Path) -> LabelledUtterance:
    assert item.audio_path is not None
    # A name for each channel, so that a later analysis that hears another channel does not meet the earlier cut.
    clip = (
        folder
        / f"{target.channel if target.channel is not None else 'mix'}"
        / clip_name(target.recording_sha256, target.start_s, target.end_s)
    )
    if not clip.is_file():
        write_clip(item.audio_path, target.start_s, target.end_s, target.channel, clip)
    return replace(item, audio_path=clip, start_s=None, end_s=None)
