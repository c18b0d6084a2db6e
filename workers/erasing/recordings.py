"""Rows of recordings that are erased whole."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, text

from workers.archives.objects.places import is_object_url
from workers.erasing.traces import SHORT, Traces
from workers.erasing.units import go_on_without, hold, worked_on

COUNTS = """
SELECT count(*) AS recordings, coalesce(sum(duration_s), 0)::float8 AS seconds,
       (SELECT count(*) FROM utterances u JOIN alignments a ON a.id = u.alignment_id
         WHERE a.recording_id = ANY(:ids)) AS utterances,
       (SELECT count(*) FROM labels WHERE recording_id = ANY(:ids))
           + (SELECT count(*) FROM replaced_labels WHERE recording_id = ANY(:ids)) AS labels,
       (SELECT count(DISTINCT job_id) FROM job_recordings
         WHERE recording_id = ANY(:ids) AND state IN ('aligning', 'scoring')) AS jobs
  FROM recordings WHERE id = ANY(:ids)
"""
#: A content goes wherever it lies, so more may go than the folder that was named.
PLACES = """
SELECT count(*) AS files, count(DISTINCT archive_id) AS archives FROM archive_files WHERE recording_id = ANY(:ids)
"""


def traces(conn: Connection, ids: Sequence[int]) -> Traces:
    """By what files about some recordings are known."""
    values = {"ids": list(ids)}
    found = Traces()
    sums = {
        row.id: row.sha256
        for row in conn.execute(text("SELECT id, sha256 FROM recordings WHERE id = ANY(:ids)"), values)
    }
    found.contents = set(sums.values())
    for row in conn.execute(text("SELECT id, name, recording_id FROM speakers WHERE recording_id = ANY(:ids)"), values):
        found.people.add(f"{sums[row.recording_id][:SHORT]}-{row.name}")
    found.people |= {f"recording-{sha256[:SHORT]}" for sha256 in found.contents}
    found.people |= {f"archive-{name}" for name in _only_here(conn, ids)}
    found.items = set(
        conn.execute(
            text("SELECT corpus || '/' || item_id FROM labels WHERE recording_id = ANY(:ids)"), values
        ).scalars()
    )
    found.people |= set(
        conn.execute(
            text("""
                SELECT speaker FROM labels WHERE recording_id = ANY(:ids) AND speaker IS NOT NULL
                EXCEPT SELECT speaker FROM labels WHERE recording_id <> ALL(:ids)
            """),
            values,
        ).scalars()
    )
    found.add(worked_on(conn, _alignments(conn, ids)))
    for row in conn.execute(
        text("""
            SELECT v.url, v.packed_sha256, f.path, f.transcript_path, f.transcript_place IS NULL AS own
              FROM archive_files f JOIN archives v ON v.id = f.archive_id WHERE f.recording_id = ANY(:ids)
        """),
        values,
    ):
        found.objects |= is_object_url(row.url)
        if row.packed_sha256 is not None:
            found.packed.add(row.packed_sha256)
            found.members.add(f"{row.packed_sha256}/{row.path}")
            if row.transcript_path and row.own:
                found.members.add(f"{row.packed_sha256}/{row.transcript_path}")
    return found


def _alignments(conn: Connection, ids: Sequence[int]) -> Sequence[int]:
    return (
        conn.execute(text("SELECT id FROM alignments WHERE recording_id = ANY(:ids) ORDER BY id"), {"ids": list(ids)})
        .scalars()
        .all()
    )


def _only_here(conn: Connection, ids: Sequence[int]) -> Sequence[str]:
    """Names of people who are heard in these recordings and in no other."""
    return (
        conn.execute(
            text("""
                SELECT DISTINCT s.name FROM alignments a
                  JOIN alignment_speakers h ON h.alignment_id = a.id
                  JOIN speakers s ON s.id = h.speaker_id AND s.recording_id IS NULL
                 WHERE a.recording_id = ANY(:ids) AND NOT EXISTS (
                       SELECT FROM alignment_speakers o JOIN alignments e ON e.id = o.alignment_id
                        WHERE o.speaker_id = s.id AND e.recording_id <> ALL(:ids))
            """),
            {"ids": list(ids)},
        )
        .scalars()
        .all()
    )


def erase(conn: Connection, ids: Sequence[int]) -> Traces:
    """Delete every row about some recordings; returns by what files about them are known.

    Jobs lose the recordings as if their archive had never held them. The caller is alone (`db.erasures.alone`).
    """
    alignments = list(_alignments(conn, ids))
    batches = hold(conn, alignments)
    found = traces(conn, ids)
    values: dict[str, Any] = {"ids": list(ids), "alignments": alignments}
    heard = list(
        conn.execute(
            text("SELECT DISTINCT speaker_id FROM alignment_speakers WHERE alignment_id = ANY(:alignments)"), values
        ).scalars()
    )
    delete_scores(conn, alignments)
    files = conn.execute(
        text("SELECT id, archive_id, path FROM archive_files WHERE recording_id = ANY(:ids) ORDER BY id FOR UPDATE"),
        values,
    ).all()
    values["files"] = [file.id for file in files]
    for statement in (
        "DELETE FROM job_recordings WHERE recording_id = ANY(:ids) OR alignment_id = ANY(:alignments)",
        "DELETE FROM job_recordings WHERE file_id = ANY(:files) AND recording_id IS NULL",
        "DELETE FROM group_members WHERE alignment_id = ANY(:alignments)",
        "DELETE FROM batch_members WHERE alignment_id = ANY(:alignments)",
        # With their utterances, voices and roll-ups.
        "DELETE FROM alignments WHERE id = ANY(:alignments)",
        "DELETE FROM speakers WHERE recording_id = ANY(:ids)",
        # With labels, and what they were before.
        """
        DELETE FROM archive_files f WHERE f.id = ANY(:files)
           AND NOT EXISTS (SELECT FROM job_recordings r WHERE r.file_id = f.id)
           AND NOT EXISTS (SELECT FROM alignments a WHERE a.source_file_id = f.id)
        """,
        # What an earlier content of the same path was found by.
        """
        UPDATE archive_files
           SET path = 'erased/' || id, recording_id = NULL, transcript_path = NULL, transcript_sha256 = '',
               transcript_place = NULL, metadata = '{}', dialogue = NULL, recorded_at = NULL, options_hash = NULL,
               error_code = 'recording_erased', error = NULL
         WHERE id = ANY(:files)
        """,
        "DELETE FROM recordings WHERE id = ANY(:ids)",
    ):
        conn.execute(text(statement), values)
    found.batches |= go_on_without(conn, batches)
    forget_unheard(conn, heard)
    _forget_paths(conn, [(file.archive_id, file.path) for file in files])
    return found


def delete_scores(conn: Connection, alignment_ids: Sequence[int]) -> None:
    """Scores of whole alignments, by whatever version; each version is a partition with its own index."""
    conn.execute(
        text("""
            DELETE FROM scores WHERE alignment_id = ANY(:ids)
               AND profile_version_id = ANY(ARRAY(SELECT id FROM profile_versions))
        """),
        {"ids": list(alignment_ids)},
    )


def forget_unheard(conn: Connection, speaker_ids: Sequence[int]) -> None:
    """Delete people, by name, of whom no alignment has anything any more."""
    conn.execute(
        text("""
            DELETE FROM speakers s WHERE s.id = ANY(:ids)
               AND NOT EXISTS (SELECT FROM alignment_speakers h WHERE h.speaker_id = s.id)
               AND NOT EXISTS (SELECT FROM utterances u WHERE u.speaker_id = s.id)
        """),
        {"ids": list(speaker_ids)},
    )


def _forget_paths(conn: Connection, files: Sequence[tuple[int, str]]) -> None:
    """Paths that jobs were made of, or have stopped at, and names of archives that nothing is left of.

    A walk that is under way still needs to know where it is: it forgets that at its end.
    """
    values = {"archives": sorted({archive for archive, _ in files}), "paths": [path for _, path in files]}
    conn.execute(
        text("""
            UPDATE jobs SET walked_to = NULL
             WHERE archive_id = ANY(:archives) AND walked_to = ANY(:paths)
               AND (ingested_at IS NOT NULL OR state NOT IN ('queued', 'running'))
        """),
        values,
    )
    conn.execute(
        text("""
            UPDATE jobs SET options = jsonb_set(options, '{only}', to_jsonb('erased/' || id))
             WHERE archive_id = ANY(:archives) AND options ->> 'only' = ANY(:paths)
        """),
        values,
    )
    conn.execute(
        text("""
            UPDATE archives a SET url = 'erased/' || id, packed_sha256 = NULL, packed_bytes = NULL,
                   packed_mtime_ns = NULL
             WHERE a.id = ANY(:archives)
               AND NOT EXISTS (SELECT FROM archive_files f WHERE f.archive_id = a.id)
               AND NOT EXISTS (SELECT FROM jobs j WHERE j.archive_id = a.id AND j.state IN ('queued', 'running'))
        """),
        values,
    )
