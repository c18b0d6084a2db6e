"""Work that is under way about what is erased: taken out of its batches, which go on without it."""

from collections.abc import Collection, Sequence

from sqlalchemy import Connection, text

from workers.erasing.traces import Traces
from workers.ledger.outcomes import restart_batch


def worked_on(conn: Connection, alignment_ids: Collection[int]) -> Traces:
    """Batches that are open about some alignments, and versions that were to score them."""
    ids = {"ids": list(alignment_ids)}
    batches = conn.execute(
        text("""
            SELECT DISTINCT b.id FROM batch_members m JOIN batches b ON b.id = m.batch_id
             WHERE m.alignment_id = ANY(:ids) AND b.finished_at IS NULL
        """),
        ids,
    ).scalars()
    versions = conn.execute(
        text("SELECT DISTINCT profile_version_id FROM recording_scores WHERE alignment_id = ANY(:ids)"), ids
    ).scalars()
    return Traces(batches=set(batches), versions=set(versions))


def hold(conn: Connection, alignment_ids: Collection[int]) -> list[int]:
    """Keep workers from committing anything about some alignments until the transaction ends; returns their batches.

    Stages first and alignments then, as workers lock them. Whoever has committed before is waited for, and what he has
    written is there to be erased; whoever comes later finds his lease lost, or his alignment gone.
    """
    for _ in range(2):
        batches = list(
            conn.execute(
                text("SELECT DISTINCT batch_id FROM batch_members WHERE alignment_id = ANY(:ids) ORDER BY 1"),
                {"ids": list(alignment_ids)},
            ).scalars()
        )
        conn.execute(
            text("SELECT FROM stages WHERE batch_id = ANY(:ids) ORDER BY id FOR UPDATE"), {"ids": batches}
        )  # fmt: skip
        conn.execute(
            text("SELECT FROM alignments WHERE id = ANY(:ids) ORDER BY id FOR UPDATE"), {"ids": list(alignment_ids)}
        )
    return batches


def go_on_without(conn: Connection, batch_ids: Sequence[int]) -> set[int]:
    """Let batches forget what they no longer hold; those that have computed something of it begin anew.

    A batch that nothing is left of is over. Returns the batches whose objects have to go.
    """
    conn.execute(
        text("""
            DELETE FROM batch_members m WHERE m.batch_id = ANY(:ids) AND NOT EXISTS (
                SELECT FROM utterances u WHERE u.alignment_id = m.alignment_id
                   AND u.utterance_no BETWEEN m.first_no AND m.last_no)
        """),
        {"ids": list(batch_ids)},
    )
    rows = conn.execute(
        text("""
            UPDATE batches b SET utterances = left_over.n, seconds = left_over.seconds
              FROM (SELECT i.id, count(u.utterance_no) AS n, coalesce(sum(u.end_s - u.start_s), 0) AS seconds
                      FROM unnest(CAST(:ids AS bigint[])) AS i(id)
                      LEFT JOIN batch_members m ON m.batch_id = i.id
                      LEFT JOIN utterances u ON u.alignment_id = m.alignment_id
                                            AND u.utterance_no BETWEEN m.first_no AND m.last_no
                     GROUP BY i.id) left_over
             WHERE b.id = left_over.id
            RETURNING b.id, b.finished_at IS NULL AS open, left_over.n,
                      (SELECT s.state FROM stages s WHERE s.batch_id = b.id AND s.stage = 'extract') AS extract
        """),
        {"ids": list(batch_ids)},
    ).all()
    over = [row.id for row in rows if not row.n]
    # Dead ones too, so that nobody retries nothing; they may not be cancelled from where they are.
    conn.execute(
        text("UPDATE stages SET state = 'waiting' WHERE batch_id = ANY(:ids) AND state = 'dead'"), {"ids": over}
    )
    conn.execute(
        text("""
            UPDATE stages SET state = 'cancelled', owner = NULL, lease_until = NULL, finished_at = now()
             WHERE batch_id = ANY(:ids) AND state IN ('waiting', 'ready', 'running')
        """),
        {"ids": over},
    )
    conn.execute(
        text("UPDATE batches SET finished_at = now() WHERE id = ANY(:ids) AND finished_at IS NULL"), {"ids": over}
    )
    begun = [row.id for row in rows if row.n and row.open and row.extract in ("running", "done")]
    for batch_id in begun:
        restart_batch(conn, batch_id)
    return {row.id for row in rows if row.open}
