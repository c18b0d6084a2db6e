"""Rows of a person in the recordings that they are heard in; what others say there stays."""

import json
import re
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, text

from workers.archives.objects.places import is_object_url
from workers.erasing.recordings import forget_unheard
from workers.erasing.traces import Traces, stretches
from workers.erasing.units import go_on_without, hold, worked_on
from workers.errors import SpeakerErased
from workers.jobs.scoring import complete
from workers.ledger.failures import sentence

#: A label is about the person if it says so or, where it says nobody, if at least half of what is said there is theirs.
_THEIRS = """
    ({speaker} = ANY(:names) OR {speaker} IS NULL AND EXISTS (
        SELECT FROM utterances u JOIN alignments a ON a.id = u.alignment_id
         WHERE a.recording_id = l.recording_id AND a.id = ANY(:alignments)
           AND u.start_s < l.end_s AND u.end_s > l.start_s
         GROUP BY a.id
        HAVING 2 * sum(least(u.end_s, l.end_s) - greatest(u.start_s, l.start_s)) FILTER (WHERE u.speaker_id = :speaker)
               >= sum(least(u.end_s, l.end_s) - greatest(u.start_s, l.start_s))))
"""
_LABELS = f"SELECT l.* FROM labels l WHERE {_THEIRS.format(speaker='l.speaker')} AND l.recording_id = ANY(:recordings)"
_REPLACED = f"""
    SELECT l.* FROM replaced_labels l
     WHERE {_THEIRS.format(speaker="l.was ->> 'speaker'")} AND l.recording_id = ANY(:recordings)
"""

COUNTS = f"""
SELECT (SELECT count(*) FROM unnest(CAST(:recordings AS bigint[]))) AS recordings, count(*) AS utterances,
       coalesce(sum(u.end_s - u.start_s), 0)::float8 AS seconds,
       (SELECT count(*) FROM ({_LABELS}) m) + (SELECT count(*) FROM ({_REPLACED}) m) AS labels,
       (SELECT count(DISTINCT job_id) FROM job_recordings
         WHERE alignment_id = ANY(:alignments) AND state IN ('aligning', 'scoring')) AS jobs
  FROM utterances u WHERE u.alignment_id = ANY(:alignments) AND u.speaker_id = :speaker
"""
#: What stays although it holds the name: words of others in the same recordings, and paths.
MENTIONS = """
SELECT (SELECT count(*) FROM utterances u
         WHERE u.alignment_id = ANY(:alignments) AND u.speaker_id <> :speaker AND u.text ~* :pattern) AS utterances,
       (SELECT count(*) FROM archive_files f WHERE f.recording_id = ANY(:recordings) AND f.path ~* :pattern) AS paths
"""
#: Labels by name of recordings that nobody has heard them in.
ELSEWHERE = "SELECT count(*) FROM labels WHERE speaker = ANY(:names) AND recording_id <> ALL(:recordings)"


def names_of(name: str) -> list[str]:
    """What labels and data sets call a person: labels of one's own have the archive before the name."""
    return [name, f"archive-{name}"]


def says(content: str, name: str) -> bool:
    """Whether a text holds a name as a word of its own."""
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", content) is not None


def speaker_of(conn: Connection, name: str) -> int | None:
    """The identity across recordings; None where no alignment has it."""
    found = conn.execute(
        text("SELECT id FROM speakers WHERE name = :name AND recording_id IS NULL"), {"name": name}
    ).scalar()
    return None if found is None else int(found)


def alignments_of(conn: Connection, name: str) -> list[int]:
    """Alignments that the person is heard in."""
    return list(
        conn.execute(
            text("""
                SELECT h.alignment_id FROM alignment_speakers h JOIN speakers s ON s.id = h.speaker_id
                 WHERE s.name = :name AND s.recording_id IS NULL
                 UNION
                SELECT u.alignment_id FROM utterances u JOIN speakers s ON s.id = u.speaker_id
                 WHERE s.name = :name AND s.recording_id IS NULL
                 ORDER BY 1
            """),
            {"name": name},
        ).scalars()
    )


def traces(conn: Connection, name: str, alignments: Sequence[int]) -> Traces:
    """By what files about the person in some alignments are known."""
    given = values(conn, name, alignments)
    found = Traces(people={f"archive-{name}"})
    found.people |= set(
        conn.execute(text("SELECT DISTINCT speaker FROM labels WHERE speaker = ANY(:names)"), given).scalars()
    )
    spans: dict[str, list[tuple[float, float]]] = {}
    for row in conn.execute(
        text("""
            SELECT r.sha256, u.start_s::numeric(12, 3)::float8 AS start_s, u.end_s::numeric(12, 3)::float8 AS end_s
              FROM utterances u JOIN alignments a ON a.id = u.alignment_id JOIN recordings r ON r.id = a.recording_id
             WHERE a.id = ANY(:alignments) AND u.speaker_id = :speaker
        """),
        given,
    ):
        spans.setdefault(row.sha256, []).append((row.start_s, row.end_s))
        found.items.add(f"unlabelled/{row.sha256}@{row.start_s:.3f}")
    for query, item in ((_LABELS, "l.corpus || '/' || l.item_id"), (_REPLACED, "NULL")):
        for row in conn.execute(
            text(f"SELECT r.sha256, l.start_s, l.end_s, {item} AS item FROM ({query}) l"
                 " JOIN recordings r ON r.id = l.recording_id"),
            given,
        ):  # fmt: skip
            spans.setdefault(row.sha256, []).append((row.start_s, row.end_s))
            if row.item is not None:
                found.items.add(row.item)
    for sha256, own in spans.items():
        found.clips |= stretches(sha256, own)
    found.add(worked_on(conn, alignments))
    for row in conn.execute(
        text("""
            SELECT v.url, v.packed_sha256 FROM archive_files f JOIN archives v ON v.id = f.archive_id
             WHERE f.recording_id = ANY(:recordings)
        """),
        given,
    ):
        found.objects |= is_object_url(row.url)
        found.packed |= {row.packed_sha256} - {None}
    return found


def values(conn: Connection, name: str, alignments: Sequence[int]) -> dict[str, Any]:
    """What the queries about a person in some alignments ask for."""
    recordings = conn.execute(
        text("SELECT DISTINCT recording_id FROM alignments WHERE id = ANY(:ids)"), {"ids": list(alignments)}
    ).scalars()
    return {
        "names": names_of(name),
        # None of them has it.
        "speaker": speaker_of(conn, name) or -1,
        "alignments": list(alignments),
        "recordings": list(recordings),
        # As a word of its own.
        "pattern": rf"(^|\W){re.escape(name)}($|\W)",
    }


def erase(conn: Connection, name: str, alignments: Sequence[int], erasure_id: int) -> Traces:
    """Delete what a person says in some alignments, and what was made of it; returns how its files are known.

    An alignment that nothing is left of becomes the result of a recording that failed for that reason. The caller is
    alone (`db.erasures.alone`).
    """
    batches = hold(conn, alignments)
    found = traces(conn, name, alignments)
    given = values(conn, name, alignments) | {"erasure": erasure_id}
    for query, table, key in (
        (_LABELS, "labels", ("recording_id", "start_s", "end_s", "annotator")),
        (_REPLACED, "replaced_labels", ("id",)),
    ):
        columns = ", ".join(key)
        conn.execute(text(f"DELETE FROM {table} WHERE ({columns}) IN (SELECT {columns} FROM ({query}) l)"), given)
    for statement in (
        """
        DELETE FROM scores s USING utterances u
         WHERE u.alignment_id = ANY(:alignments) AND u.speaker_id = :speaker AND s.alignment_id = u.alignment_id
           AND s.utterance_no = u.utterance_no AND s.profile_version_id = ANY(ARRAY(SELECT id FROM profile_versions))
        """,
        "DELETE FROM utterances WHERE alignment_id = ANY(:alignments) AND speaker_id = :speaker",
        "DELETE FROM alignment_speakers WHERE alignment_id = ANY(:alignments) AND speaker_id = :speaker",
        """
        UPDATE alignments
           SET quality = jsonb_set(coalesce(quality, '{}'), '{erasures}',
                                   coalesce(quality -> 'erasures', '[]') || to_jsonb(CAST(:erasure AS bigint)))
         WHERE id = ANY(:alignments)
        """,
    ):
        conn.execute(text(statement), given)
    found.batches |= go_on_without(conn, batches)
    emptied = _fail_empty(conn, alignments)
    rows = conn.execute(
        text("""
            SELECT profile_version_id AS version, state, array_agg(alignment_id ORDER BY alignment_id) AS alignments
              FROM recording_scores WHERE alignment_id = ANY(:ids) AND state IN ('pending', 'done') GROUP BY 1, 2
        """),
        {"ids": [a for a in alignments if a not in emptied]},
    ).all()
    for row in rows:
        complete(conn, row.version, row.alignments, again=row.state == "done")
    _forget_in_files(conn, name, given["recordings"])
    return found


def _fail_empty(conn: Connection, alignments: Sequence[int]) -> set[int]:
    """End alignments in which nobody else speaks; returns them."""
    why = SpeakerErased("everybody who is heard in it was erased")
    values = {"ids": list(alignments), "code": why.code, "error": sentence(why)}
    empty = set(
        conn.execute(
            text("""
                UPDATE alignments a SET state = 'failed', error_code = :code, error = :error
                 WHERE a.id = ANY(:ids) AND a.state = 'done'
                   AND NOT EXISTS (SELECT FROM utterances u WHERE u.alignment_id = a.id) RETURNING a.id
            """),
            values,
        ).scalars()
    )
    values["ids"] = list(empty)
    for statement in (
        "DELETE FROM batch_members WHERE alignment_id = ANY(:ids)",
        "DELETE FROM recording_scores WHERE alignment_id = ANY(:ids)",
        """
        UPDATE job_recordings SET state = 'failed', error_code = :code, error = :error
         WHERE alignment_id = ANY(:ids) AND state <> 'cancelled'
        """,
    ):
        conn.execute(text(statement), values)
    return empty


def _forget_in_files(conn: Connection, name: str, recordings: Sequence[int]) -> None:
    """Take a name out of what manifests said about files, and out of what their alignments were asked for."""
    rows = conn.execute(
        text("""
            SELECT id, metadata, dialogue FROM archive_files
             WHERE recording_id = ANY(:ids) AND (strpos(metadata::text, :quoted) > 0 OR strpos(dialogue, :name) > 0)
        """),
        {"ids": list(recordings), "name": name, "quoted": json.dumps(name, ensure_ascii=False)[1:-1]},
    ).all()
    for row in rows:
        conn.execute(
            text("UPDATE archive_files SET metadata = CAST(:metadata AS jsonb), dialogue = :dialogue WHERE id = :id"),
            {
                "id": row.id,
                "metadata": json.dumps({k: v for k, v in row.metadata.items() if not says(f"{k} {v}", name)}),
                "dialogue": None if row.dialogue is None or says(row.dialogue, name) else row.dialogue,
            },
        )
    conn.execute(
        text("""
            UPDATE alignments SET options = options - 'speaker'
             WHERE recording_id = ANY(:ids) AND state <> 'pending' AND options ->> 'speaker' = :name
        """),
        {"ids": list(recordings), "name": name},
    )


def forget(conn: Connection, name: str) -> Traces:
    """Delete labels that name a person where nobody has heard them, and the name; returns how their files are known."""
    given, found, labelled = {"names": names_of(name)}, Traces(people={f"archive-{name}"}), set()
    for row in conn.execute(
        text("""
            SELECT r.id, r.sha256, l.start_s, l.end_s, l.corpus, l.item_id, l.speaker FROM labels l
              JOIN recordings r ON r.id = l.recording_id WHERE l.speaker = ANY(:names)
        """),
        given,
    ):
        found.items.add(f"{row.corpus}/{row.item_id}")
        found.people.add(row.speaker)
        found.clips |= stretches(row.sha256, [(row.start_s, row.end_s)])
        labelled.add(row.id)
    for statement in (
        "DELETE FROM labels WHERE speaker = ANY(:names)",
        "DELETE FROM replaced_labels WHERE was ->> 'speaker' = ANY(:names)",
    ):
        conn.execute(text(statement), given)
    conn.execute(
        text("""
            DELETE FROM recordings r WHERE r.id = ANY(:ids)
               AND NOT EXISTS (SELECT FROM archive_files f WHERE f.recording_id = r.id)
               AND NOT EXISTS (SELECT FROM alignments a WHERE a.recording_id = r.id)
               AND NOT EXISTS (SELECT FROM job_recordings j WHERE j.recording_id = r.id)
               AND NOT EXISTS (SELECT FROM labels l WHERE l.recording_id = r.id)
        """),
        {"ids": sorted(labelled)},
    )
    speaker = speaker_of(conn, name)
    if speaker is not None:
        forget_unheard(conn, [speaker])
    recordings = conn.execute(
        text("SELECT DISTINCT recording_id FROM alignments WHERE state <> 'pending' AND options ->> 'speaker' = :name"),
        {"name": name},
    ).scalars()
    _forget_in_files(conn, name, list(recordings))
    return found
