"""Imports of labels of one's own: what each brought, and what people said about the same stretches."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Row, text

from db.errors import NotFound
from db.tables.labels import MEASURES


@dataclass(frozen=True, slots=True)
class Measured:
    """Agreement on one measure; `alpha` None: `note` says why."""

    items: int
    alpha: float | None
    low: float | None
    high: float | None
    note: str | None


@dataclass(frozen=True, slots=True)
class LabelBatch:
    """One row of `label_batches`; `agreement` by measure: emotion, arousal, valence."""

    id: int
    created_at: datetime
    source: str
    sha256: str
    format: str
    annotators: tuple[str, ...]
    added: int
    corrected: int
    unchanged: int
    refused: int
    left_out: Mapping[str, int]
    agreement: Mapping[str, Measured]


@dataclass(frozen=True, slots=True)
class Opinion:
    """What one annotator said about a stretch."""

    label: str | None
    arousal: float | None
    valence: float | None


@dataclass(frozen=True, slots=True)
class Judged:
    """A stretch, and what people said about it, by annotator; what a corpus publishes as agreed is not among it."""

    recording_id: int
    start_s: float
    end_s: float
    opinions: Mapping[str, Opinion]


def open_batch(conn: Connection, *, source: str, sha256: str, format: str, annotators: Sequence[str]) -> int:
    """A new batch that holds nothing yet; returns its id."""
    measures = ", ".join(f"{measure}_items" for measure in MEASURES)
    return int(
        conn.execute(
            text(f"""
                INSERT INTO label_batches (source, sha256, format, annotators, added, corrected, unchanged, refused,
                                           left_out, {measures})
                VALUES (:source, :sha256, :format, :annotators, 0, 0, 0, 0, '{{}}', {", ".join("0" for _ in MEASURES)})
                RETURNING id
            """),
            {"source": source, "sha256": sha256, "format": format, "annotators": list(annotators)},
        ).scalar_one()
    )


def close_batch(
    conn: Connection,
    batch_id: int,
    *,
    added: int,
    corrected: int,
    unchanged: int,
    refused: int,
    left_out: Mapping[str, int],
    agreement: Mapping[str, Measured],
) -> None:
    """Write what a batch brought and how far its annotators agree."""
    values: dict[str, Any] = {"added": added, "corrected": corrected, "unchanged": unchanged, "refused": refused}
    for measure, found in agreement.items():
        values |= {
            f"{measure}_items": found.items,
            f"{measure}_alpha": found.alpha,
            f"{measure}_low": found.low,
            f"{measure}_high": found.high,
            f"{measure}_note": found.note,
        }
    conn.execute(
        text(f"""
            UPDATE label_batches SET left_out = CAST(:left_out AS jsonb), {", ".join(f"{n} = :{n}" for n in values)}
             WHERE id = :id
        """),
        {"id": batch_id, "left_out": json.dumps(dict(left_out)), **values},
    )


def drop_batch(conn: Connection, batch_id: int) -> None:
    """Forget a batch that brought nothing."""
    conn.execute(text("DELETE FROM label_batches WHERE id = :id"), {"id": batch_id})


def judged(conn: Connection, batch_id: int) -> list[Judged]:
    """The stretches that a batch brought a label for, with everybody's labels of them, in order."""
    rows = conn.execute(
        text("""
            SELECT l.recording_id, l.start_s, l.end_s, l.annotator, l.label, l.arousal, l.valence
              FROM labels l
             WHERE l.annotator <> l.corpus
               AND (l.recording_id, l.start_s, l.end_s)
                   IN (SELECT recording_id, start_s, end_s FROM labels WHERE batch_id = :id)
             ORDER BY l.recording_id, l.start_s, l.end_s, l.annotator
        """),
        {"id": batch_id},
    )
    return [
        Judged(*key, {row.annotator: Opinion(row.label, row.arousal, row.valence) for row in group})
        for key, group in groupby(rows, key=lambda row: (row.recording_id, row.start_s, row.end_s))
    ]


def batches(conn: Connection, limit: int | None = None) -> list[LabelBatch]:
    """The newest batches, newest first."""
    rows = conn.execute(text("SELECT * FROM label_batches ORDER BY id DESC LIMIT :limit"), {"limit": limit})
    return [_batch(row) for row in rows]


def batch(conn: Connection, batch_id: int) -> LabelBatch:
    """One batch; raises `NotFound`."""
    row = conn.execute(text("SELECT * FROM label_batches WHERE id = :id"), {"id": batch_id}).one_or_none()
    if row is None:
        raise NotFound(f"there is no batch of labels {batch_id}", hint="`tenor labels list` lists those there are.")
    return _batch(row)


def names_of(conn: Connection, recordings: Sequence[int]) -> dict[int, str]:
    """A path for each recording that lies in an archive."""
    rows = conn.execute(
        text("SELECT recording_id, min(path) AS path FROM archive_files WHERE recording_id = ANY(:ids) GROUP BY 1"),
        {"ids": list(recordings)},
    )
    return {row.recording_id: row.path for row in rows}


def _batch(row: Row[Any]) -> LabelBatch:
    found = row._mapping
    plain = ("id", "created_at", "source", "sha256", "format", "added", "corrected", "unchanged", "refused", "left_out")
    return LabelBatch(
        **{name: found[name] for name in plain},
        annotators=tuple(found["annotators"]),
        agreement={
            measure: Measured(*(found[f"{measure}_{part}"] for part in ("items", "alpha", "low", "high", "note")))
            for measure in MEASURES
        },
    )
