"""Writing what was found: scores, their roll-ups, utterances. Many rows at once, inside the caller's transaction."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, text

from db.copying import copy_arrays, copy_rows, storable
from db.errors import InvalidScores
from db.tables.scores import EMOTIONS, SIDES, probabilities

_PROBABILITIES = tuple(name for side in SIDES for name in probabilities(side))
_KEY = ("profile_version_id", "alignment_id", "utterance_no")
_VALUES = (*_PROBABILITIES, "label", "confidence", "quality")
_UTTERANCE = (
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
    "syllables",
    "quality",
)
#: How far a row of probabilities may be from adding up to one.
SUM_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True)
class ScoreBlock:
    """The scores of N utterances; arrays are [N, 7] with NaN for "no value" and rows that sum to one.

    `keys` are (alignment_id, utterance_no); `quality` says per utterance what is missing and why, () for all None.
    """

    profile_version_id: int
    batch_id: int
    keys: Sequence[tuple[int, int]]
    speech: NDArray[np.floating[Any]]
    text: NDArray[np.floating[Any]]
    fused: NDArray[np.floating[Any]]
    quality: Sequence[str | None] = field(default_factory=tuple)


def check(block: ScoreBlock) -> None:
    """Raise `InvalidScores`, naming the utterance, unless every row is a distribution or wholly absent."""
    count = len(block.keys)
    if block.quality and len(block.quality) != count:
        raise InvalidScores(f"there are {len(block.quality)} quality notes for {count} utterances")
    if len(set(block.keys)) != count:
        raise InvalidScores("an utterance has scores twice in one block")
    for side in SIDES:
        values: NDArray[np.floating[Any]] = getattr(block, side)
        if values.shape != (count, len(EMOTIONS)):
            raise InvalidScores(f"{side} scores have shape {values.shape} for {count} utterances")
        absent = np.isnan(values)
        given = np.where(absent, 0.0, values)
        wrong = ((given < 0) | (given > 1 + SUM_TOLERANCE)).any(axis=1)
        wrong |= ~absent.all(axis=1) & (np.abs(given.sum(axis=1) - 1) > SUM_TOLERANCE)
        if wrong.any():
            alignment, number = block.keys[int(wrong.argmax())]
            more = f", and {wrong.sum() - 1} more like it" if wrong.sum() > 1 else ""
            raise InvalidScores(
                f"{side} scores of utterance {number} of alignment {alignment} are no distribution{more}"
            )


def write_scores(conn: Connection, block: ScoreBlock) -> int:
    """Store a block; writing the same values again changes no row. Returns the number of rows inserted or changed."""
    check(block)
    if not block.keys:
        return 0
    label, confidence = _best(block.fused)
    notes = sorted({note for note in block.quality if note is not None})
    places = {note: place for place, note in enumerate(notes, start=1)} | {None: 0}
    arrays: dict[str, NDArray[Any]] = {
        "alignment_id": np.array([alignment for alignment, _ in block.keys], np.int64),
        "utterance_no": np.array([number for _, number in block.keys], np.int32),
        "label_no": label,
        "confidence": confidence,
        "quality_no": np.array([places[note] for note in block.quality or [None] * len(block.keys)], np.int32),
    }
    for side in SIDES:
        values = np.minimum(getattr(block, side), 1.0).astype(np.float32)
        arrays |= dict(zip(probabilities(side), values.T, strict=True))
    reals = ", ".join(f"{name} real" for name in (*_PROBABILITIES, "confidence"))
    conn.execute(
        text(f"""
            CREATE TEMP TABLE new_scores (
                alignment_id bigint, utterance_no integer, label_no integer, quality_no integer, {reals}
            ) ON COMMIT DROP
        """)
    )
    copy_arrays(conn, "new_scores", arrays)
    # NaN stands for NULL, and place 0 of an SQL array is NULL too.
    changed = conn.execute(
        text(f"""
            INSERT INTO scores ({", ".join(_KEY)}, batch_id, {", ".join(_VALUES)})
            SELECT :version, alignment_id, utterance_no, :batch,
                   {", ".join(f"nullif({name}, 'NaN')" for name in _PROBABILITIES)},
                   (CAST(:labels AS text[]))[label_no], nullif(confidence, 'NaN'),
                   (CAST(:notes AS text[]))[quality_no]
              FROM new_scores
            ON CONFLICT ({", ".join(_KEY)}) DO UPDATE
               SET (batch_id, {", ".join(_VALUES)})
                   = (excluded.batch_id, {", ".join(f"excluded.{name}" for name in _VALUES)})
             WHERE ({", ".join(f"scores.{name}" for name in _VALUES)})
                   IS DISTINCT FROM ({", ".join(f"excluded.{name}" for name in _VALUES)})
        """),
        {
            "version": block.profile_version_id,
            "batch": block.batch_id,
            "labels": list(EMOTIONS),
            "notes": [storable(note) for note in notes],
        },
    ).rowcount
    conn.execute(text("DROP TABLE new_scores"))
    return int(changed)


def _best(fused: NDArray[np.floating[Any]]) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """(1-based place of the highest class, its probability) per row [N]; (0, NaN) for an absent row."""
    filled = np.where(np.isnan(fused), -1.0, fused)
    highest = np.minimum(filled.max(axis=1), 1.0)
    label = np.where(highest < 0, 0, filled.argmax(axis=1) + 1).astype(np.int32)
    return label, np.where(highest < 0, np.nan, highest).astype(np.float32)


def write_utterances(conn: Connection, rows: Iterable[Sequence[Any]]) -> None:
    """Store utterances as (alignment_id, utterance_no, speaker_id, channel, start_s, end_s, text, language, words,
    phones, syllables, quality); words, phones and syllables are lists of [label, start_s, end_s, ...] or None."""
    copy_rows(conn, "utterances", _UTTERANCE, ((*row[:8], *map(_json, row[8:11]), row[11]) for row in rows))


def _json(items: Sequence[Sequence[Any]] | None) -> str | None:
    if items is None:
        return None
    return json.dumps([[storable(label), *times] for label, *times in items], allow_nan=False)


def roll_up(conn: Connection, alignment_ids: Sequence[int], profile_version_id: int) -> None:
    """Write the means of fused probabilities, weighted by seconds of speech, and mark the recordings scored."""
    # In double precision, so that the order of rows leaves no trace.
    weight = "(u.end_s::float8 - u.start_s)"
    means = ", ".join(
        f"sum(s.fused_{e} * {weight}) / nullif(sum({weight}) FILTER (WHERE s.fused_{e} IS NOT NULL), 0) AS mean_{e}"
        for e in EMOTIONS
    )
    highest = f"greatest({', '.join(f'm.mean_{e}' for e in EMOTIONS)})"
    conn.execute(
        text(f"""
            WITH m AS (
                SELECT a.id, count(s.utterance_no) AS utterances,
                       coalesce(sum({weight}) FILTER (WHERE s.utterance_no IS NOT NULL), 0) AS speech_s, {means}
                  FROM unnest(CAST(:ids AS bigint[])) AS a(id)
                  LEFT JOIN utterances u ON u.alignment_id = a.id
                  LEFT JOIN scores s ON s.profile_version_id = :version
                                    AND s.alignment_id = u.alignment_id AND s.utterance_no = u.utterance_no
                 GROUP BY a.id
            )
            UPDATE recording_scores r
               SET state = 'done', utterances = m.utterances, speech_s = m.speech_s, finished_at = now(),
                   {", ".join(f"mean_{e} = m.mean_{e}" for e in EMOTIONS)},
                   label = CASE {highest} {" ".join(f"WHEN m.mean_{e} THEN '{e}'" for e in EMOTIONS)} END
              FROM m
             WHERE r.alignment_id = m.id AND r.profile_version_id = :version
        """),
        {"version": profile_version_id, "ids": list(alignment_ids)},
    )
