"""Whether an alignment is scored by a version of a profile, and who is to have it scored."""

from sqlalchemy import Connection, text

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
    """An alignment with the length of each of its utterances."""
    rows = conn.execute(
        text("SELECT end_s - start_s AS seconds FROM utterances WHERE alignment_id = :id ORDER BY utterance_no"),
        {"id": alignment_id},
    )
    return Aligned(alignment_id, [row.seconds for row in rows])
