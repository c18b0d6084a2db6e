"""Writing many rows: COPY into a temporary table, then one upsert, inside the caller's transaction."""

import io
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, text

from db.errors import InvalidScores
from db.tables.scores import EMOTIONS, SIDES, probabilities

_PROBABILITIES = tuple(name for side in SIDES for name in probabilities(side))
_COLUMNS = (
    "profile_version_id",
    "alignment_id",
    "utterance_no",
    "batch_id",
    *_PROBABILITIES,
    "label",
    "confidence",
    "quality",
)
#: How far a row of probabilities may be from adding up to one.
SUM_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True)
class ScoreBlock:
    """The scores of N utterances; arrays are [N, 7] with NaN for "no value" and rows that sum to one."""

    profile_version_id: int
    batch_id: int
    keys: Sequence[tuple[int, int]]
    speech: NDArray[np.float64]
    text: NDArray[np.float64]
    fused: NDArray[np.float64]
    quality: Sequence[str | None] = field(default_factory=tuple)


def check(block: ScoreBlock) -> None:
    """Raise `InvalidScores`, naming the utterance, unless every row is a distribution or wholly absent."""
    for side in SIDES:
        values: NDArray[np.float64] = getattr(block, side)
        if values.shape != (len(block.keys), len(EMOTIONS)):
            raise InvalidScores(f"{side} scores have shape {values.shape} for {len(block.keys)} utterances")
        for (alignment, number), row in zip(block.keys, values, strict=True):
            given = row[~np.isnan(row)]
            if len(given) and not (
                np.isfinite(given).all()
                and (given >= 0).all()
                and (given <= 1 + SUM_TOLERANCE).all()
                and abs(float(given.sum()) - 1) <= SUM_TOLERANCE
            ):
                raise InvalidScores(f"{side} scores of utterance {number} of alignment {alignment} are no distribution")


def write_scores(conn: Connection, block: ScoreBlock) -> int:
    """Store a block; writing the same values again changes no row. Returns the number of rows inserted or changed."""
    check(block)
    rows = []
    quality = block.quality or [None] * len(block.keys)
    for index, (alignment, number) in enumerate(block.keys):
        numbers = [
            None if math.isnan(value) else min(1.0, float(value))
            for side in SIDES
            for value in getattr(block, side)[index]
        ]
        fused = block.fused[index]
        known = not np.isnan(fused).all()
        best = int(np.nanargmax(fused)) if known else -1
        rows.append(
            (
                block.profile_version_id,
                alignment,
                number,
                block.batch_id,
                *numbers,
                EMOTIONS[best] if known else None,
                float(fused[best]) if known else None,
                quality[index],
            )
        )
    compared = list(_COLUMNS[4:])
    conn.execute(text("CREATE TEMP TABLE new_scores (LIKE scores) ON COMMIT DROP"))
    conn.execute(text("ALTER TABLE new_scores ALTER created_at SET DEFAULT now()"))
    copy_rows(conn, "new_scores", _COLUMNS, rows)
    changed = conn.execute(
        text(f"""
            INSERT INTO scores ({", ".join(_COLUMNS)})
            SELECT {", ".join(_COLUMNS)} FROM new_scores
            ON CONFLICT (profile_version_id, alignment_id, utterance_no) DO UPDATE
               SET ({", ".join(_COLUMNS[3:])}) = ({", ".join(f"excluded.{c}" for c in _COLUMNS[3:])})
             WHERE ({", ".join(f"scores.{c}" for c in compared)})
                   IS DISTINCT FROM ({", ".join(f"excluded.{c}" for c in compared)})
        """)
    ).rowcount
    conn.execute(text("DROP TABLE new_scores"))
    return int(changed)


def write_utterances(conn: Connection, rows: Iterable[Sequence[Any]]) -> None:
    """Store utterances as (alignment_id, utterance_no, speaker_id, channel, start_s, end_s, text, language, words,
    phones, quality); words and phones are JSON-able or None."""
    columns = (
        "alignment_id",
        "utterance_no",
        "speaker_id",
        "channel",
        "start_s",
        "end_s",
        "text",
        "language",
        "words",
        "phones",
        "quality",
    )
    encoded = ((*row[:8], *(None if v is None else json.dumps(v) for v in row[8:10]), row[10]) for row in rows)
    copy_rows(conn, "utterances", columns, encoded)


def roll_up(conn: Connection, alignment_ids: Sequence[int], profile_version_id: int) -> None:
    """Write the means of fused probabilities, weighted by seconds of speech, and mark the recordings scored."""
    means = ", ".join(
        f"sum(s.fused_{e} * (u.end_s - u.start_s)) / nullif(sum(u.end_s - u.start_s)"
        f" FILTER (WHERE s.fused_{e} IS NOT NULL), 0) AS mean_{e}"
        for e in EMOTIONS
    )
    label = " ".join(
        f"WHEN m.mean_{e} = greatest({', '.join(f'm.mean_{other}' for other in EMOTIONS)}) THEN '{e}'" for e in EMOTIONS
    )
    conn.execute(
        text(f"""
            WITH m AS (
                SELECT s.alignment_id, count(*) AS utterances, sum(u.end_s - u.start_s) AS speech_s, {means}
                  FROM scores s JOIN utterances u USING (alignment_id, utterance_no)
                 WHERE s.profile_version_id = :version AND s.alignment_id = ANY(:ids)
                 GROUP BY s.alignment_id
            )
            UPDATE recording_scores r
               SET state = 'done', utterances = m.utterances, speech_s = m.speech_s, finished_at = now(),
                   {", ".join(f"mean_{e} = m.mean_{e}" for e in EMOTIONS)}, label = CASE {label} END
              FROM m
             WHERE r.alignment_id = m.alignment_id AND r.profile_version_id = :version
        """),
        {"version": profile_version_id, "ids": list(alignment_ids)},
    )


def copy_rows(conn: Connection, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """COPY rows into a table through the connection's own transaction; None is NULL."""
    buffer = io.StringIO()
    for row in rows:
        buffer.write("\t".join("\\N" if value is None else _escape(value) for value in row) + "\n")
    buffer.seek(0)
    raw = conn.connection.cursor()
    try:
        raw.copy_expert(f"COPY {table} ({', '.join(columns)}) FROM STDIN", buffer)
    finally:
        raw.close()


def _escape(value: Any) -> str:
    if isinstance(value, str):
        # Postgres text holds no zero character.
        value = value.replace("\x00", "").replace("\\", "\\\\")
        return str(value).replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
    return repr(value) if isinstance(value, float) else str(value)
