"""Linking a job to what is known: which of its files are scored, which are under way, which are to be done."""

import hashlib
import json
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Row, text

from db import erasures
from workers.archives.files import Found
from workers.archives.manifest import Line
from workers.archives.recordings import register
from workers.errors import WORTH_RETRYING, RecordingErased
from workers.jobs.scoring import claim_scoring, given_up_for, lengths, scored_version
from workers.ledger.failures import sentence
from workers.ledger.units import add_batches


def options_hash(options: dict[str, Any]) -> str:
    """Equal options give equal alignments; this is how they are compared."""
    return hashlib.sha256(json.dumps(options, sort_keys=True).encode()).hexdigest()[:16]


def link_recordings(
    conn: Connection,
    found: Sequence[Found],
    *,
    job_id: int,
    archive_id: int,
    version_id: int,
    options: dict[str, Any],
    batch_s: float,
    root_id: uuid.UUID,
    parent_id: uuid.UUID,
) -> list[tuple[int, float]]:
    """Write files, recordings and alignments, and what each means for the job.

    `options` are the job's for alignment; what the manifest says about a file goes before them.

    Returns the (alignment, seconds) that nobody works on yet. Alignments that are done but not scored by any version
    of the job's profile are cut into batches here.
    """
    waiting: list[tuple[int, float]] = []
    aligned: list[int] = []
    for file in _without_erased(conn, found):
        recording_id = file.recording_id if file.recording_id is not None else _registered(conn, file)
        chosen = {**options, **(file.line.options if file.line else {})}
        key = options_hash(chosen)
        file_id = _file(conn, archive_id, file, recording_id, key)
        if recording_id is None:
            assert file.error is not None
            _link(
                conn,
                job_id,
                file_id,
                None,
                "failed",
                error=(file.error.code, sentence(file.error)),
            )
            continue
        recording = conn.execute(
            text("SELECT error_code, error, coalesce(duration_s, 0) AS seconds FROM recordings WHERE id = :id"),
            {"id": recording_id},
        ).one()
        if recording.error_code is not None:
            _link(conn, job_id, file_id, recording_id, "failed", error=(recording.error_code, recording.error))
            continue
        alignment = _alignment(conn, recording_id, file_id, file.transcript_sha256, chosen, key)
        error = (alignment.error_code, alignment.error) if alignment.error_code else None
        if alignment.state == "failed" and alignment.error_code in WORTH_RETRYING:
            alignment, error = pend_again(conn, alignment.id), None
        if alignment.state == "failed":
            _link(conn, job_id, file_id, recording_id, "failed", alignment=alignment.id, error=error)
        elif alignment.state == "pending":
            new = _link(conn, job_id, file_id, recording_id, "aligning", alignment=alignment.id)
            if new and not _under_way(conn, alignment.id) and all(a != alignment.id for a, _ in waiting):
                waiting.append((alignment.id, recording.seconds))
        else:
            scored = scored_version(conn, alignment.id, version_id)
            given_up = None if scored is not None else given_up_for(conn, alignment.id, version_id)
            state = "done" if scored is not None else "failed" if given_up else "scoring"
            _link(
                conn, job_id, file_id, recording_id, state, alignment=alignment.id, error=given_up or error,
                version=scored if scored is not None else version_id, reused=scored is not None,
            )  # fmt: skip
            if state == "scoring" and claim_scoring(conn, alignment.id, version_id):
                aligned.append(alignment.id)
    add_batches(conn, job_id, version_id, [lengths(conn, a) for a in aligned], batch_s, root_id, parent_id)
    return waiting


def _without_erased(conn: Connection, found: Sequence[Found]) -> Iterator[Found]:
    """Files as they are found; of one whose content was erased, nothing but its path, and that it was."""
    erasures.share(conn)
    rows = conn.execute(
        text("SELECT id, sha256 FROM recordings WHERE id = ANY(:ids)"),
        {"ids": [file.recording_id for file in found if file.recording_id is not None]},
    )
    known: dict[int | None, str] = {row.id: row.sha256 for row in rows}
    sums = [known.get(file.recording_id) if file.sha256 is None else file.sha256 for file in found]
    gone = erasures.erased(conn, "recordings", {sha256 for sha256 in sums if sha256 is not None})
    for file, sha256 in zip(found, sums, strict=True):
        if sha256 in gone:
            said = f"{gone[sha256]}, not analysed"
        elif file.recording_id is not None and sha256 is None:
            # Between the look at the file and this.
            said = "erased while the archive was walked, not analysed"
        else:
            yield file
            continue
        yield Found(file.path, file.size_bytes, file.mtime_ns, error=RecordingErased(said))


def _registered(conn: Connection, file: Found) -> int | None:
    recording = register(conn, file)
    return None if recording is None else int(recording.id)


def _file(conn: Connection, archive_id: int, file: Found, recording_id: int | None, options_hash: str) -> int:
    said = file.line or Line(0, "")
    return int(
        conn.execute(
            text("""
                INSERT INTO archive_files (archive_id, path, size_bytes, mtime_ns, recording_id,
                                           transcript_path, transcript_place, transcript_sha256, options_hash,
                                           metadata, recorded_at, dialogue, error_code, error)
                VALUES (:archive, :path, :size, :mtime, :recording,
                        :transcript, CAST(:transcript_place AS jsonb), :transcript_sha256, :options_hash,
                        CAST(:metadata AS jsonb), :recorded_at, :dialogue, :code, :error)
                ON CONFLICT (archive_id, path) DO UPDATE
                   SET size_bytes = excluded.size_bytes, mtime_ns = excluded.mtime_ns,
                       recording_id = excluded.recording_id, transcript_path = excluded.transcript_path,
                       transcript_place = excluded.transcript_place,
                       transcript_sha256 = excluded.transcript_sha256, options_hash = excluded.options_hash,
                       metadata = excluded.metadata, recorded_at = excluded.recorded_at,
                       dialogue = excluded.dialogue, error_code = excluded.error_code,
                       error = excluded.error, seen_at = now()
                RETURNING id
            """),
            {
                "archive": archive_id,
                "path": file.path,
                "size": file.size_bytes,
                "mtime": file.mtime_ns,
                "recording": recording_id,
                "transcript": file.transcript_path,
                "transcript_place": json.dumps(asdict(file.transcript_place)) if file.transcript_place else None,
                "transcript_sha256": file.transcript_sha256,
                "options_hash": options_hash,
                "metadata": json.dumps(said.metadata),
                "recorded_at": said.recorded_at,
                "dialogue": said.dialogue,
                "code": file.error.code if file.error and recording_id is None else None,
                "error": str(file.error) if file.error and recording_id is None else None,
            },
        ).scalar_one()
    )


def _alignment(
    conn: Connection,
    recording_id: int,
    file_id: int,
    transcript: str,
    options: dict[str, Any],
    options_hash: str,
) -> Row[Any]:
    # A pending alignment is read from the file that was seen last: the first one may be gone by now.
    return conn.execute(
        text("""
            INSERT INTO alignments (recording_id, transcript_sha256, options_hash, options, source_file_id)
            VALUES (:recording, :transcript, :hash, CAST(:options AS jsonb), :file)
            ON CONFLICT (recording_id, transcript_sha256, options_hash) DO UPDATE
               SET source_file_id = excluded.source_file_id
            RETURNING id, state, error_code, error
        """),
        {
            "recording": recording_id,
            "transcript": transcript,
            "hash": options_hash,
            "options": json.dumps(options),
            "file": file_id,
        },
    ).one()


def pend_again(conn: Connection, alignment_id: int) -> Row[Any]:
    """Let a failed alignment be made once more; it may be another time than the first."""
    return conn.execute(
        text("""
            UPDATE alignments SET state = 'pending', error_code = NULL, error = NULL, finished_at = NULL
             WHERE id = :id RETURNING id, state, error_code, error
        """),
        {"id": alignment_id},
    ).one()


def _link(
    conn: Connection,
    job_id: int,
    file_id: int,
    recording_id: int | None,
    state: str,
    *,
    alignment: int | None = None,
    version: int | None = None,
    reused: bool = False,
    error: tuple[str, str] | None = None,
) -> bool:
    """Write the job's line for a file; False when an earlier attempt of this walk has written it."""
    code, sentence = error or (None, None)
    return (
        conn.execute(
            text("""
                INSERT INTO job_recordings (job_id, file_id, recording_id, alignment_id, profile_version_id, state,
                                            reused, error_code, error)
                VALUES (:job, :file, :recording, :alignment, :version, :state, :reused, :code, :error)
                ON CONFLICT DO NOTHING RETURNING job_id
            """),
            {
                "job": job_id,
                "file": file_id,
                "recording": recording_id,
                "alignment": alignment,
                "version": version,
                "state": state,
                "reused": reused,
                "code": code,
                "error": sentence,
            },
        ).scalar()
        is not None
    )


def _under_way(conn: Connection, alignment_id: int) -> bool:
    return bool(
        conn.execute(
            text("""
                SELECT EXISTS (SELECT FROM group_members m JOIN stages s ON s.group_id = m.group_id
                                WHERE m.alignment_id = :id AND s.state IN ('waiting', 'ready', 'running'))
            """),
            {"id": alignment_id},
        ).scalar()
    )
