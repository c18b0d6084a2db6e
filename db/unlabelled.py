"""What was analysed lately and nobody has labelled: a lot over speakers, as targets without a label."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, text

from db.tables.scores import probabilities
from db.targets import Target

#: Shorter ones are breaths and yeses, longer ones hold more than one emotion.
SHORTEST_S, LONGEST_S = 0.5, 30.0
#: The newest so many scores are looked at.
NEWEST = 20_000
_TEXT = probabilities("text")

#: Scores of a profile, whichever of its versions gave them; what the text model said only where it is the same model.
#: A voice's utterances come in an order of their own (`turn`), so that the first turn of everybody goes first.
_RECENT = f"""
WITH recent AS (
    SELECT s.alignment_id, s.utterance_no, s.batch_id, v.spec -> 'text' ->> 'sha256' = :text_model AS same,
           {", ".join(f"s.{name}" for name in _TEXT)}
      FROM scores s JOIN profile_versions v ON v.id = s.profile_version_id
     WHERE v.profile_id = :profile AND s.label IS NOT NULL
     ORDER BY s.batch_id DESC, s.alignment_id, s.utterance_no LIMIT {NEWEST}),
heard AS (
    SELECT DISTINCT ON (r.id, round(u.start_s), round(u.end_s))
           recent.*, r.id AS recording_id, r.sha256, r.sample_rate, r.channels,
           a.source_file_id AS file_id, a.finished_at,
           u.start_s::numeric(12, 3)::float8 AS start_s, u.end_s::numeric(12, 3)::float8 AS end_s,
           u.channel, u.text, coalesce(u.language, nullif(a.options ->> 'language', 'auto')) AS language, u.speaker_id,
           sp.name AS voice, sp.recording_id IS NULL AS is_named, f.dialogue
      FROM recent
      JOIN alignments a ON a.id = recent.alignment_id
      JOIN recordings r ON r.id = a.recording_id
      JOIN archive_files f ON f.id = a.source_file_id
      JOIN utterances u ON u.alignment_id = recent.alignment_id AND u.utterance_no = recent.utterance_no
      JOIN speakers sp ON sp.id = u.speaker_id
     WHERE u.end_s - u.start_s BETWEEN {SHORTEST_S} AND {LONGEST_S}
       AND r.id <> ALL(:recordings) AND r.sha256 <> ALL(:contents)
       AND NOT (sp.recording_id IS NULL AND sp.name = ANY(:voices))
       AND NOT EXISTS (SELECT FROM labels l
                        WHERE l.recording_id = r.id AND l.start_s < u.end_s AND l.end_s > u.start_s)
     ORDER BY r.id, round(u.start_s), round(u.end_s), recent.batch_id DESC),
lots AS (
    SELECT *, md5(concat_ws(' ', CAST(:seed AS text), sha256, start_s)) AS lot FROM heard),
turns AS (
    SELECT *, row_number() OVER (PARTITION BY speaker_id ORDER BY lot) AS turn FROM lots)
SELECT * FROM turns ORDER BY turn, lot LIMIT :most
"""  # fmt: skip


def unlabelled(
    conn: Connection,
    profile_id: int,
    *,
    most: int,
    seed: int,
    text_model: str | None,
    recordings: Collection[int] = (),
    contents: Collection[str] = (),
    voices: Collection[str] = (),
) -> list[Target]:
    """At most so many utterances of recordings that a profile has scored, as even over voices as they allow.

    The same database and seed give the same. `recordings` (ids), `contents` (hashes) and named `voices` are left out,
    and every stretch that touches a label. `shares` are what the text model with this hash (`text_model`) said, None
    where it said nothing.
    """
    rows = conn.execute(
        text(_RECENT),
        {
            "profile": profile_id,
            "most": most,
            "seed": str(seed),
            "text_model": text_model,
            "recordings": list(recordings),
            "contents": list(contents),
            "voices": list(voices),
        },
    )
    return [_target(row) for row in rows]


def _target(row: Row[Any]) -> Target:
    at: datetime = row.finished_at
    said = [getattr(row, name) for name in _TEXT] if row.same else []
    total = sum(value or 0.0 for value in said)
    return Target(
        recording_id=row.recording_id,
        recording_sha256=row.sha256,
        start_s=row.start_s,
        end_s=row.end_s,
        corpus="unlabelled",
        item_id=f"{row.sha256}@{row.start_s:.3f}",
        annotators=(),
        label=None,
        source_label=None,
        shares=tuple((value or 0.0) / total for value in said) if total > 0 else None,
        arousal=None,
        valence=None,
        speaker=None,
        voice=row.voice,
        voice_is_named=bool(row.is_named),
        channel=row.channel,
        sample_rate=row.sample_rate,
        channels=row.channels,
        gender=None,
        style=None,
        language=row.language,
        text=row.text,
        dialogue=row.dialogue,
        session=None,
        split=None,
        file_id=row.file_id,
        imported_at=at,
    )
