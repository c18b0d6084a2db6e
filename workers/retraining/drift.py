"""retrain.drift: recent output of champions against their references, into `quality_measures`."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from celery import Task
from numpy.typing import NDArray
from sqlalchemy import Connection, text

from db.engine import is_passing
from ml.drift import Drift, Reference, drift, measures_of
from ml.emotions import EMOTIONS
from workers import context
from workers.app import app

if TYPE_CHECKING:
    from sqlalchemy import Engine

#: Utterances that a comparison needs on either side, and takes at most.
MIN_UTTERANCES, MOST_UTTERANCES = 100, 5000
#: Numbers in a voice embedding.
VOICE_SIZE = 256
_PROBABILITIES = ", ".join(f"s.fused_{name}" for name in EMOTIONS)


@app.task(bind=True, name="retrain.drift")
def measure_drift(self: "Task[Any, Any]") -> str:
    """Measure every champion that has scored something new."""
    try:
        measured = measure_all(context.engine(), context.settings().drift_days)
    except Exception as exc:
        if not is_passing(exc):
            raise
        return f"the database is away ({type(exc).__name__}); the next round does this one's work"
    return f"{measured} champions measured"


@dataclass(frozen=True, slots=True)
class _Output:
    """What a version said of N utterances."""

    probabilities: NDArray[np.float64]
    seconds: NDArray[np.float64]
    voices: NDArray[np.float64]

    @property
    def measures(self) -> dict[str, NDArray[np.float64]]:
        return measures_of(self.probabilities, EMOTIONS, self.seconds)


def measure_all(engine: "Engine", days: float) -> int:
    """Compare each champion's recent output with its reference; returns how many were.

    A version that was never trained here has none: the first utterances that it scored become it.
    """
    measured = 0
    with engine.connect() as conn:
        champions = list(conn.execute(text("SELECT champion_id FROM profiles WHERE champion_id IS NOT NULL")).scalars())
    for version_id in champions:
        with engine.begin() as conn:
            measured += _measure(conn, version_id, days)
    return measured


def _measure(conn: Connection, version_id: int, days: float) -> bool:
    reference = conn.execute(
        text("SELECT reference FROM quality_references WHERE profile_version_id = :v"), {"v": version_id}
    ).scalar()
    if reference is None:
        _begin(conn, version_id)
        return False
    since = conn.execute(
        text("""
            SELECT coalesce((SELECT max(measured_at) FROM quality_measures WHERE profile_version_id = :v), '-infinity')
        """),
        {"v": version_id},
    ).scalar_one()
    news = conn.execute(
        text("""
            SELECT EXISTS (SELECT FROM batches b JOIN quality_references q USING (profile_version_id)
                            WHERE profile_version_id = :v
                              AND finished_at > greatest(CAST(:since AS timestamptz), q.created_at))
        """),
        {"v": version_id, "since": since},
    ).scalar_one()
    recent = _output(conn, version_id, "b.finished_at > now() - make_interval(days => 0, secs => :seconds)"
                     " AND b.finished_at > (SELECT created_at FROM quality_references WHERE profile_version_id = :v)",
                     seconds=days * 86_400) if news else None  # fmt: skip
    if recent is None or len(recent.seconds) < MIN_UTTERANCES:
        return False
    found = drift(Reference.from_json(reference), recent.measures, np.nan_to_num(recent.probabilities), recent.voices)
    _write(conn, version_id, len(recent.seconds), found)
    return True


def _begin(conn: Connection, version_id: int) -> None:
    """Take what a version has scored so far for how it should be."""
    first = _output(conn, version_id, "true")
    if len(first.seconds) < MIN_UTTERANCES:
        return
    reference = Reference.of(first.measures, np.nan_to_num(first.probabilities), first.voices)
    conn.execute(
        text("""
            INSERT INTO quality_references (profile_version_id, source, utterances, reference)
            VALUES (:v, 'first', :n, CAST(:reference AS jsonb)) ON CONFLICT DO NOTHING
        """),
        {"v": version_id, "n": len(first.seconds), "reference": json.dumps(reference.to_json(), allow_nan=False)},
    )


def _output(conn: Connection, version_id: int, which: str, **values: object) -> _Output:
    """The newest utterances of batches of a version that meet a condition, and their speakers' voices."""
    rows = conn.execute(
        text(f"""
            SELECT {_PROBABILITIES}, u.end_s - u.start_s AS seconds
              FROM scores s JOIN batches b ON b.id = s.batch_id
              JOIN utterances u ON u.alignment_id = s.alignment_id AND u.utterance_no = s.utterance_no
             WHERE s.profile_version_id = :v AND s.label IS NOT NULL AND {which}
             ORDER BY s.batch_id DESC LIMIT :most
        """),
        {"v": version_id, "most": MOST_UTTERANCES, **values},
    ).all()
    table = np.asarray([[np.nan if value is None else value for value in row] for row in rows], dtype=np.float64)
    table = table.reshape(len(rows), len(EMOTIONS) + 1)
    voices = conn.execute(
        text(f"""
            SELECT a.embedding FROM alignment_speakers a
             WHERE cardinality(a.embedding) > 0 AND a.alignment_id IN (
                   SELECT m.alignment_id FROM batch_members m JOIN batches b ON b.id = m.batch_id
                    WHERE m.profile_version_id = :v AND {which})
             ORDER BY a.alignment_id DESC LIMIT 300
        """),
        {"v": version_id, **values},
    ).scalars()
    embeddings = np.asarray(list(voices), dtype=np.float64).reshape(-1, VOICE_SIZE)
    return _Output(table[:, :-1], table[:, -1], embeddings)


def _write(conn: Connection, version_id: int, utterances: int, found: Drift) -> None:
    mmd, voices = found.mmd or (None, None), found.mmd_voices or (None, None)
    conn.execute(
        text("""
            INSERT INTO quality_measures
                   (profile_version_id, utterances, psi, psi_of, mmd, mmd_p, mmd_voices, mmd_voices_p)
            VALUES (:v, :n, :psi, CAST(:psi_of AS jsonb), :mmd, :mmd_p, :voices, :voices_p)
        """),
        {
            "v": version_id,
            "n": utterances,
            "psi": found.psi,
            "psi_of": json.dumps(found.psi_of),
            "mmd": mmd[0],
            "mmd_p": mmd[1],
            "voices": voices[0],
            "voices_p": voices[1],
        },
    )
