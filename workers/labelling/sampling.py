"""Proposing utterances of a job to be labelled, with their sound."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine, Row, text

from db.tables.scores import EMOTIONS, probabilities
from ml.audio.clips import clip_name, write_clip
from ml.errors import RecordingError, TenorError
from ml.features.speaker import SIZE
from ml.labelling.errors import NothingToSample
from ml.labelling.sampling import Pool, Strategy, choose, uncertainty
from ml.labelling.tasks import CLIPS, Task, as_json, how_to_label, interface
from workers.archives import roots
from workers.archives.files import check_unchanged, located
from workers.settings import Settings

#: Shorter ones are breaths and yeses, longer ones hold more than one emotion.
SHORTEST_S, LONGEST_S = 0.5, 30.0
#: Utterances that are looked at for each one proposed.
_POOL = 50
_FUSED = ", ".join(f"s.{name}" for name in probabilities("fused"))
_ENTROPY = " + ".join(f"coalesce(-s.{n} * ln(nullif(s.{n}, 0)), 0)" for n in probabilities("fused"))

#: Utterances of a job's files by the version of its profile that is current for each, without those of which half is
#: labelled. The rank is within speaker and class by uncertainty, or over all by lot.
_CANDIDATES = f"""
WITH shown AS (
    SELECT DISTINCT ON (c.alignment_id, c.profile_version_id)
           c.alignment_id, c.profile_version_id, c.file_id, c.recording_id, c.path, c.profile, c.version
      FROM job_recordings jr
      JOIN jobs j ON j.id = jr.job_id
      JOIN profile_versions jv ON jv.id = j.profile_version_id
      JOIN profiles p ON p.id = jv.profile_id
      JOIN current_recording_scores c ON c.file_id = jr.file_id AND c.profile = p.name
     WHERE jr.job_id = :job AND jr.state = 'done'
     ORDER BY c.alignment_id, c.profile_version_id, c.file_id),
candidates AS (
    SELECT shown.*, r.sha256, u.utterance_no, u.speaker_id, u.channel, u.start_s::numeric(12, 3)::float8 AS start_s,
           u.end_s::numeric(12, 3)::float8 AS end_s, u.text, sp.name AS speaker, s.label, s.confidence, {_FUSED},
           {_ENTROPY} AS entropy,
           md5(concat_ws(' ', CAST(:seed AS text), r.sha256, u.utterance_no)) AS lot
      FROM shown
      JOIN recordings r ON r.id = shown.recording_id
      JOIN scores s ON s.alignment_id = shown.alignment_id AND s.profile_version_id = shown.profile_version_id
      JOIN utterances u ON u.alignment_id = s.alignment_id AND u.utterance_no = s.utterance_no
      JOIN speakers sp ON sp.id = u.speaker_id
     WHERE s.label IS NOT NULL AND u.end_s - u.start_s BETWEEN {SHORTEST_S} AND {LONGEST_S}
       AND NOT EXISTS (
           SELECT FROM labels l
            WHERE l.recording_id = shown.recording_id AND l.start_s < u.end_s AND l.end_s > u.start_s
              AND least(l.end_s, u.end_s) - greatest(l.start_s, u.start_s) >= 0.5 * (u.end_s - u.start_s))),
ranked AS (
    SELECT *, CASE WHEN :random THEN row_number() OVER (ORDER BY lot)
                   ELSE row_number() OVER (PARTITION BY speaker_id, label ORDER BY entropy DESC, lot) END AS place
      FROM candidates)
SELECT ranked.*, a.url, a.packed_sha256, a.packed_bytes, a.packed_mtime_ns, f.size_bytes, f.mtime_ns
  FROM ranked
  JOIN archive_files f ON f.id = ranked.file_id
  JOIN archives a ON a.id = f.archive_id
 WHERE place <= :most
 ORDER BY place, entropy DESC, lot
 LIMIT :pool
"""


class FolderTaken(TenorError):
    """Something lies where the tasks are to go."""

    code = "folder_taken"
    hint = "Name another folder with --out."


@dataclass(slots=True)
class Sample:
    """What was proposed and written."""

    folder: Path
    proposed: int
    #: Utterances that it was chosen from.
    pool: int
    speakers: int
    classes: dict[str, int]
    #: Mean entropy from 0 (certain) to 1, of what was proposed and of the pool.
    uncertainty: float
    pool_uncertainty: float
    #: Chosen, but without sound, by reason.
    left_out: dict[str, int] = field(default_factory=dict)


def sample(
    engine: Engine,
    settings: Settings,
    job: int,
    folder: Path,
    *,
    count: int,
    strategy: Strategy = "uncertain-diverse",
    seed: int = 0,
    with_text: bool = False,
    predictions: bool = True,
    advance: Callable[[int, int], None] = lambda done, total: None,
) -> Sample:
    """Choose utterances of a job and write tasks, interface and clips into a new folder.

    The same database and seed give the same tasks. Raises `NothingToSample` and `FolderTaken`. `advance` is told how
    many of how many clips are cut.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FolderTaken(f"{folder} is there already")
    with engine.connect() as conn:
        rows = _candidates(conn, job, count=count, strategy=strategy, seed=seed)
        if not rows:
            raise NothingToSample(
                f"job {job} has no scored utterance of {SHORTEST_S:g} to {LONGEST_S:g} s without a label"
            )
        pool = _pool(conn, rows)
    chosen = [rows[place] for place in choose(pool, count, strategy=strategy, seed=seed)]
    # For its owner alone: what people said is in it.
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    left_out: Counter[str] = Counter()
    tasks = _tasks(chosen, settings, folder / CLIPS, left_out, with_text=with_text, advance=advance)
    name = folder.absolute().name
    content = json.dumps(as_json(tasks, name, predictions=predictions), ensure_ascii=False, indent=1)
    (folder / "tasks.json").write_text(content, encoding="utf-8")
    (folder / "config.xml").write_text(interface(with_text=with_text), encoding="utf-8")
    (folder / "README.md").write_text(how_to_label(name), encoding="utf-8")
    return Sample(
        folder=folder,
        proposed=len(tasks),
        pool=len(rows),
        speakers=len({row.speaker_id for row in chosen}),
        classes={emotion: number for emotion in EMOTIONS if (number := sum(row.label == emotion for row in chosen))},
        uncertainty=float(uncertainty(_fused(chosen)).mean()),
        pool_uncertainty=float(uncertainty(pool.probabilities).mean()),
        left_out=dict(left_out),
    )


def _candidates(conn: Connection, job: int, *, count: int, strategy: Strategy, seed: int) -> Sequence[Row[Any]]:
    by_lot = strategy == "random"
    values = {
        "job": job,
        "seed": str(seed),
        "random": by_lot,
        # Of one speaker and class there are never more than are asked for at all.
        "most": count,
        "pool": count if by_lot else count * _POOL,
    }
    return conn.execute(text(_CANDIDATES), values).all()


def _pool(conn: Connection, rows: Sequence[Row[Any]]) -> Pool:
    found = conn.execute(
        text("""
            SELECT alignment_id, speaker_id, embedding FROM alignment_speakers
             WHERE alignment_id = ANY(:ids) AND cardinality(embedding) = :size
        """),
        {"ids": list({row.alignment_id for row in rows}), "size": SIZE},
    )
    voices = {(row.alignment_id, row.speaker_id): np.asarray(row.embedding, np.float32) for row in found}
    unknown = np.zeros(SIZE, np.float32)
    return Pool(
        probabilities=_fused(rows),
        voices=np.stack([voices.get((row.alignment_id, row.speaker_id), unknown) for row in rows]),
        seconds=np.array([row.end_s - row.start_s for row in rows], np.float32),
        speakers=[row.speaker_id for row in rows],
        predicted=[row.label for row in rows],
    )


def _fused(rows: Sequence[Row[Any]]) -> NDArray[np.float32]:
    names = probabilities("fused")
    return np.array([[getattr(row, name) or 0.0 for name in names] for row in rows], np.float32)


def _tasks(
    chosen: Sequence[Row[Any]],
    settings: Settings,
    clips: Path,
    left_out: Counter[str],
    *,
    with_text: bool,
    advance: Callable[[int, int], None],
) -> list[Task]:
    """Tasks of what can be cut; clips go into their folder."""
    root = roots.finder(settings)
    tasks = []
    for done, row in enumerate(chosen, start=1):
        clip = clip_name(row.sha256, row.start_s, row.end_s)
        try:
            with root(row).here(row.path):
                audio = located(root(row).folder, row.path)
                check_unchanged(audio, row.size_bytes, row.mtime_ns, row.sha256)
                write_clip(audio, row.start_s, row.end_s, row.channel, clips / clip)
        except RecordingError as exc:
            left_out[str(exc)] += 1
            continue
        finally:
            advance(done, len(chosen))
        tasks.append(
            Task(
                clip=clip,
                recording_sha256=row.sha256,
                recording=row.path,
                start_s=row.start_s,
                end_s=row.end_s,
                predicted=row.label,
                confidence=row.confidence,
                model=f"{row.profile} version {row.version}",
                text=(row.text or "") if with_text else None,
            )
        )
    return tasks
