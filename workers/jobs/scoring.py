"""Whether an alignment is scored by a version of a profile, and who is to have it scored."""

from collections.abc import Sequence

from sqlalchemy import Connection, text

from db.scores import roll_up
from workers.errors import WORTH_RETRYING
from workers.ledger.units import Aligned


def scored_version(conn: Connection, alignment_id: int, version_id: int) -> int | None:
    """A version of the same profile that has scored the whole alignment: the job's own, else the newest."""
    found = conn.execute(
        text("""
            SELECT r.profile_version_id FROM recording_scores r
              JOIN profile_versions v ON v.id = r.profile_version_id
             WHERE r.alignment_id = :alignment AND r.state = 'done'
               AND v.profile_id = (SELECT profile_id FROM profile_versions WHERE id = :version)
             ORDER BY v.id = :version DESC, v.version DESC LIMIT 1
        """),
        {"alignment": alignment_id, "version": version_id},
    ).scalar()
    return None if found is None else int(found)


def given_up_for(conn: Connection, alignment_id: int, version_id: int) -> tuple[str, str] | None:
    """Why a version's scoring of an alignment has failed for good; None when it has not, or is worth trying again."""
    row = conn.execute(
        text("""
            SELECT jr.error_code, jr.error,
                   EXISTS (SELECT FROM batch_members m JOIN batches b ON b.id = m.batch_id
                            WHERE m.alignment_id = :a AND m.profile_version_id = :v AND b.finished_at IS NULL) AS open
              FROM recording_scores r
              JOIN job_recordings jr ON jr.alignment_id = r.alignment_id
                                    AND jr.profile_version_id = r.profile_version_id AND jr.state = 'failed'
             WHERE r.alignment_id = :a AND r.profile_version_id = :v AND r.state = 'failed'
             ORDER BY jr.job_id DESC LIMIT 1
        """),
        {"a": alignment_id, "v": version_id},
    ).one_or_none()
    if row is None or (row.error_code in WORTH_RETRYING and not row.open):
        return None
    return row.error_code, row.error


def claim_scoring(conn: Connection, alignment_id: int, version_id: int) -> bool:
    """True when the caller is the one to cut the alignment into batches; False when it is scored or under way."""
    values = {"a": alignment_id, "v": version_id}
    # What is left of batches that once failed makes room for new ones.
    conn.execute(
        text("""
            DELETE FROM batch_members m USING recording_scores r, batches b
             WHERE m.alignment_id = :a AND m.profile_version_id = :v AND b.id = m.batch_id AND b.finished_at IS NOT NULL
               AND r.alignment_id = :a AND r.profile_version_id = :v AND r.state = 'failed'
        """),
        values,
    )
    return (
        conn.execute(
            text("""
                INSERT INTO recording_scores (alignment_id, profile_version_id) VALUES (:a, :v)
                ON CONFLICT (alignment_id, profile_version_id) DO UPDATE SET state = 'pending'
                 WHERE recording_scores.state <> 'done'
                   AND NOT EXISTS (SELECT FROM batch_members m
                                    WHERE m.alignment_id = :a AND m.profile_version_id = :v)
                RETURNING alignment_id
            """),
            values,
        ).scalar()
        is not None
    )


def lengths(conn: Connection, alignment_id: int) -> Aligned:
    """An alignment with the length of each of its utterances; 0 where one was erased."""
    rows = conn.execute(
        text("SELECT utterance_no, end_s - start_s AS seconds FROM utterances WHERE alignment_id = :id"),
        {"id": alignment_id},
    )
    seconds = {row.utterance_no: float(row.seconds) for row in rows}
    return Aligned(alignment_id, [seconds.get(number, 0.0) for number in range(max(seconds, default=-1) + 1)])


def complete(conn: Connection, version_id: int, alignment_ids: Sequence[int], *, again: bool = False) -> None:
    """Roll up those of some alignments of which a version has scored everything, and show them to jobs as done.

    `again`: those that were rolled up before, of which something has changed since.
    """
    ids = sorted(alignment_ids)
    # Two batches of one recording may finish together: the second waits here and sees the first.
    conn.execute(
        text("""
            SELECT FROM recording_scores WHERE profile_version_id = :v AND alignment_id = ANY(:ids)
             ORDER BY alignment_id FOR UPDATE
        """),
        {"v": version_id, "ids": ids},
    )
    scored = [
        row.alignment_id
        for row in conn.execute(
            text("""
                SELECT r.alignment_id FROM recording_scores r
                 WHERE r.profile_version_id = :v AND r.alignment_id = ANY(:ids)
                   AND (r.state = 'pending' OR :again AND r.state = 'done')
                   AND NOT EXISTS (SELECT FROM batch_members m JOIN batches b ON b.id = m.batch_id
                                    WHERE m.alignment_id = r.alignment_id AND m.profile_version_id = :v
                                      AND b.finished_at IS NULL)
            """),
            {"v": version_id, "ids": ids, "again": again},
        )
    ]
    roll_up(conn, scored, version_id)
    conn.execute(
        text("""
            UPDATE job_recordings SET state = 'done'
             WHERE alignment_id = ANY(:ids) AND profile_version_id = :v AND state = 'scoring'
        """),
        {"v": version_id, "ids": scored},
    )
    # A job may ask that text is not kept. Its alignments are its own kind, so nobody else's text goes.
    conn.execute(
        text("""
            UPDATE utterances u SET text = NULL FROM alignments a
             WHERE a.id = u.alignment_id AND a.id = ANY(:ids) AND a.options ->> 'keep_text' = 'false'
        """),
        {"ids": scored},
    )
