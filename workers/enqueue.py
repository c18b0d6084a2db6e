"""Jobs as a program or the command line makes them: create, cancel, retry. The row is the job; a hint follows it."""

import json
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import Connection, Engine, text

from db.errors import NotFound
from ml.alignment.align import AlignOptions
from ml.alignment.registry import find_aligner
from ml.audio.decode import EXTENSIONS
from ml.profiles import Profile
from workers.app import app
from workers.dispatch import send
from workers.errors import ArchiveEmpty, ArchiveMissing, BrokerUnavailable
from workers.files import audio_files
from workers.outcomes import finish_jobs, restart_batch


@dataclass(frozen=True, slots=True)
class JobOptions:
    """What a job may choose; the first five decide which alignments it shares with other jobs."""

    channels: Literal["auto", "split", "mix"] = "auto"
    aligner: str = "pocketsphinx"
    language: str = "en"
    max_utterance_s: float = 15.0
    keep_text: bool = True
    priority: int = 0

    def alignment(self) -> dict[str, Any]:
        """The identity of the alignments that the job uses."""
        options = AlignOptions(self.channels, self.aligner, self.language, self.max_utterance_s)
        return {**options.identity(), "keep_text": self.keep_text}


def create_job(engine: Engine, archive: Path, profile: Profile, options: JobOptions) -> int:
    """Enqueue a folder, or one file; returns the job's id.

    Raises `ArchiveMissing`, `ArchiveEmpty`, `AlignerUnknown`, a `ModelError` of the profile, or `BrokerUnavailable`.
    """
    find_aligner(options.aligner)
    root, only = _place(archive)
    _ping_broker()
    root_id = uuid.uuid4()
    with engine.begin() as conn:
        version_id = ensure_version(conn, profile)
        archive_id = conn.execute(
            text("""
                INSERT INTO archives (url) VALUES (:url)
                ON CONFLICT (url) DO UPDATE SET url = excluded.url RETURNING id
            """),
            {"url": str(root)},
        ).scalar_one()
        fields = {"alignment": options.alignment(), **({"only": only} if only else {})}
        job_id = int(
            conn.execute(
                text("""
                    INSERT INTO jobs (archive_id, profile_version_id, options, priority, root_id)
                    VALUES (:archive, :version, CAST(:options AS jsonb), :priority, :root) RETURNING id
                """),
                {
                    "archive": archive_id,
                    "version": version_id,
                    "options": json.dumps(fields),
                    "priority": options.priority,
                    "root": root_id,
                },
            ).scalar_one()
        )
        stage_id = conn.execute(
            text("""
                INSERT INTO stages (stage, job_id, state, root_id, ready_at)
                VALUES ('ingest', :job, 'ready', :root, now()) RETURNING id
            """),
            {"job": job_id, "root": root_id},
        ).scalar_one()
    send(app, engine, [stage_id])
    return job_id


def _place(archive: Path) -> tuple[Path, str | None]:
    """(folder, None), or (folder, name) for a single file."""
    path = archive.expanduser().absolute()
    try:
        if path.is_file():
            if path.suffix.lower() not in EXTENSIONS:
                raise ArchiveEmpty(f"{archive} is not an audio file")
            return path.parent, path.name
        if not path.is_dir():
            raise ArchiveMissing(f"there is no folder or file {archive}")
        if next(audio_files(path), None) is None:
            raise ArchiveEmpty(f"{archive} holds no audio file")
    except OSError as exc:
        raise ArchiveMissing(f"{archive} cannot be read ({type(exc).__name__})") from exc
    return path, None


def _ping_broker() -> None:
    try:
        Redis.from_url(str(app.conf.broker_url), socket_timeout=5, socket_connect_timeout=5).ping()
    except (RedisError, OSError, ValueError) as exc:
        raise BrokerUnavailable(f"Redis does not answer ({type(exc).__name__})") from exc


def ensure_version(conn: Connection, profile: Profile) -> int:
    """The version of the profile that its present content is: a known one, or a new one that becomes champion."""
    spec, fingerprint = profile.resolve(), profile.fingerprint()
    conn.execute(text("INSERT INTO profiles (name) VALUES (:n) ON CONFLICT DO NOTHING"), {"n": profile.name})
    profile_id = conn.execute(
        text("SELECT id FROM profiles WHERE name = :n FOR UPDATE"), {"n": profile.name}
    ).scalar_one()
    found = conn.execute(
        text("SELECT id FROM profile_versions WHERE profile_id = :p AND fingerprint = :f"),
        {"p": profile_id, "f": fingerprint},
    ).scalar()
    if found is None:
        found = conn.execute(
            text("""
                INSERT INTO profile_versions (profile_id, version, fingerprint, spec, label_set)
                VALUES (:p, (SELECT coalesce(max(version), 0) + 1 FROM profile_versions WHERE profile_id = :p),
                        :f, CAST(:spec AS jsonb), :labels) RETURNING id
            """),
            {"p": profile_id, "f": fingerprint, "spec": json.dumps(spec), "labels": list(profile.labels)},
        ).scalar_one()
        conn.execute(text("SELECT add_profile_version_partition(:v)"), {"v": found})
        for side in ("speech", "text"):
            if side in spec:
                conn.execute(
                    text("""
                        INSERT INTO models (kind, name, sha256, location, licence, meta)
                        VALUES (:kind, :name, :sha256, :location, :licence, CAST(:meta AS jsonb))
                        ON CONFLICT DO NOTHING
                    """),
                    {**{k: spec[side][k] for k in ("kind", "name", "sha256", "location", "licence")},
                     "meta": json.dumps(spec[side])},
                )  # fmt: skip
    conn.execute(text("UPDATE profiles SET champion_id = :v WHERE id = :p"), {"v": found, "p": profile_id})
    return int(found)


def cancel_job(engine: Engine, job_id: int) -> int:
    """Give up a job's open recordings; work that another live job shares goes on. Returns how many were given up."""
    with engine.begin() as conn:
        _existing(conn, job_id)
        given_up = conn.execute(
            text("""
                UPDATE job_recordings SET state = 'cancelled'
                 WHERE job_id = :job AND state IN ('aligning', 'scoring') RETURNING alignment_id
            """),
            {"job": job_id},
        ).rowcount
        conn.execute(
            text("""
                UPDATE jobs SET state = 'cancelled', finished_at = now()
                 WHERE id = :job AND state IN ('queued', 'running')
            """),
            {"job": job_id},
        )
        # A unit is dropped when no recording of it is still wanted by anybody.
        conn.execute(
            text("""
                UPDATE stages s SET state = 'cancelled', owner = NULL, lease_until = NULL, finished_at = now()
                 WHERE s.state IN ('waiting', 'ready', 'running')
                   AND (s.stage = 'ingest' AND s.job_id = :job
                     OR s.stage = 'align' AND NOT EXISTS (
                            SELECT FROM group_members m JOIN job_recordings r ON r.alignment_id = m.alignment_id
                             WHERE m.group_id = s.group_id AND r.state = 'aligning')
                     OR s.batch_id IS NOT NULL AND NOT EXISTS (
                            SELECT FROM batch_members m
                              JOIN job_recordings r ON r.alignment_id = m.alignment_id
                                                   AND r.profile_version_id = m.profile_version_id
                             WHERE m.batch_id = s.batch_id AND r.state = 'scoring'))
            """),
            {"job": job_id},
        )
        # Their utterances are free again, so that a later job can cut them into batches of its own.
        conn.execute(
            text("""
                WITH dropped AS (
                    UPDATE batches b SET finished_at = now()
                     WHERE b.finished_at IS NULL
                       AND NOT EXISTS (SELECT FROM stages s WHERE s.batch_id = b.id
                                          AND s.state IN ('waiting', 'ready', 'running'))
                       AND EXISTS (SELECT FROM stages s WHERE s.batch_id = b.id AND s.state = 'cancelled')
                    RETURNING id
                ), freed AS (
                    DELETE FROM batch_members m USING dropped d WHERE m.batch_id = d.id
                    RETURNING m.alignment_id, m.profile_version_id
                )
                DELETE FROM recording_scores r USING freed f
                 WHERE r.alignment_id = f.alignment_id AND r.profile_version_id = f.profile_version_id
                   AND r.state = 'pending'
            """)
        )
    return int(given_up)


def retry_job(engine: Engine, job_id: int) -> int:
    """Put the dead stages behind a job's failed recordings back to work; returns how many units."""
    with engine.begin() as conn:
        _existing(conn, job_id)
        rows = conn.execute(
            text("""
                SELECT s.id, s.stage, s.group_id, s.batch_id FROM stages s
                 WHERE s.state = 'dead' AND (s.job_id = :job
                    OR s.group_id IN (SELECT m.group_id FROM group_members m
                                        JOIN job_recordings r ON r.alignment_id = m.alignment_id
                                       WHERE r.job_id = :job AND r.state = 'failed')
                    OR s.batch_id IN (SELECT m.batch_id FROM batch_members m
                                        JOIN job_recordings r ON r.alignment_id = m.alignment_id
                                       WHERE r.job_id = :job AND r.state = 'failed'))
                 FOR UPDATE OF s
            """),
            {"job": job_id},
        ).all()
        for row in rows:
            if row.batch_id is not None:
                restart_batch(conn, row.batch_id, fresh=True)
            else:
                conn.execute(
                    text("""
                        UPDATE stages SET state = 'ready', attempt = 0, ready_at = now(), sent_at = NULL,
                               finished_at = NULL WHERE id = :id
                    """),
                    {"id": row.id},
                )
        groups = [row.group_id for row in rows if row.group_id is not None]
        batches = [row.batch_id for row in rows if row.batch_id is not None]
        _reopen(conn, groups, batches)
        conn.execute(
            text("""
                UPDATE jobs SET state = 'running', finished_at = NULL, error_code = NULL, error = NULL
                 WHERE id = :job AND :found
            """),
            {"job": job_id, "found": bool(rows)},
        )
        finish_jobs(conn)
        ready = [row.id for row in rows if row.batch_id is None]
    send(app, engine, ready)
    return len(rows)


def _reopen(conn: Connection, groups: list[int], batches: list[int]) -> None:
    conn.execute(
        text("""
            UPDATE job_recordings r SET state = 'aligning', error_code = NULL, error = NULL
              FROM group_members m JOIN alignments a ON a.id = m.alignment_id
             WHERE m.group_id = ANY(:ids) AND r.alignment_id = m.alignment_id
               AND r.state = 'failed' AND a.state = 'failed'
        """),
        {"ids": groups},
    )
    conn.execute(
        text("""
            UPDATE alignments a SET state = 'pending', error_code = NULL, error = NULL, finished_at = NULL
              FROM group_members m WHERE m.group_id = ANY(:ids) AND a.id = m.alignment_id AND a.state = 'failed'
        """),
        {"ids": groups},
    )
    conn.execute(
        text("""
            UPDATE job_recordings r SET state = 'scoring', error_code = a.error_code, error = a.error
              FROM batch_members m JOIN alignments a ON a.id = m.alignment_id
             WHERE m.batch_id = ANY(:ids) AND r.alignment_id = m.alignment_id
               AND r.profile_version_id = m.profile_version_id AND r.state = 'failed'
        """),
        {"ids": batches},
    )
    conn.execute(
        text("""
            UPDATE recording_scores r SET state = 'pending'
              FROM batch_members m
             WHERE m.batch_id = ANY(:ids) AND r.alignment_id = m.alignment_id
               AND r.profile_version_id = m.profile_version_id AND r.state = 'failed'
        """),
        {"ids": batches},
    )


def _existing(conn: Connection, job_id: int) -> None:
    if conn.execute(text("SELECT FROM jobs WHERE id = :job FOR UPDATE"), {"job": job_id}).one_or_none() is None:
        raise NotFound(f"there is no job {job_id}")
