"""What is to be done and what became of it: jobs, groups, batches, stages, events."""

import uuid
from datetime import datetime
from typing import Annotated, Any

from sqlalchemy import REAL, BigInteger, CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from db.states import JOB_STATES, STAGE_STATES, STAGES
from db.tables.base import Base, BigInt, Created, Id, Json, one_of

Halvings = Annotated[
    int, mapped_column(server_default="0", comment="how often it was cut in two to find what kills its worker")
]
JOB_RECORDING_STATES = ("aligning", "scoring", "done", "failed", "cancelled")


class Job(Base):
    """One request to analyse an archive with a profile version."""

    __tablename__ = "jobs"
    __table_args__ = (
        CheckConstraint(one_of("state", JOB_STATES), name="state"),
        Index(None, "archive_id"),
        {"comment": "requests; failed: the archive itself could not be read"},
    )

    id: Mapped[Id]
    archive_id: Mapped[int] = mapped_column(ForeignKey("archives.id"))
    profile_version_id: Mapped[int] = mapped_column(ForeignKey("profile_versions.id"))
    options: Mapped[Json]
    state: Mapped[str] = mapped_column(
        server_default="queued",
        comment="queued, running, done (nothing open), failed (archive unreadable, see error), cancelled",
    )
    priority: Mapped[int] = mapped_column(server_default="0", comment="higher goes first")
    root_id: Mapped[uuid.UUID] = mapped_column(
        comment="root of its Celery messages; of batches that are scored again each is a root"
    )
    files_seen: Mapped[int] = mapped_column(server_default="0")
    error_code: Mapped[str | None]
    error: Mapped[str | None]
    created_at: Mapped[Created]
    ingested_at: Mapped[datetime | None] = mapped_column(comment="when the whole archive had been walked")
    finished_at: Mapped[datetime | None]
    paused_at: Mapped[datetime | None] = mapped_column(
        comment="set while nothing of it is begun; what runs is finished"
    )
    walked_to: Mapped[str | None] = mapped_column(comment="the last path that the walk has linked")


class Group(Base):
    """Recordings that one align task takes."""

    __tablename__ = "groups"
    __table_args__ = (
        Index(None, "job_id"),
        {"comment": "units of align: short recordings together, a long one alone"},
    )

    id: Mapped[Id]
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"))
    seconds: Mapped[float] = mapped_column(REAL)
    created_at: Mapped[Created]
    halvings: Mapped[Halvings]


class GroupMember(Base):
    """An alignment to be made by a group."""

    __tablename__ = "group_members"
    __table_args__ = (Index(None, "alignment_id"), {"comment": "alignments that a group is to make"})

    group_id: Mapped[int] = mapped_column(ForeignKey("groups.id", ondelete="CASCADE"), primary_key=True)
    alignment_id: Mapped[int] = mapped_column(ForeignKey("alignments.id"), primary_key=True)
    position: Mapped[int]


class Batch(Base):
    """Utterances that pass extract, ser, ter and fuse together."""

    __tablename__ = "batches"
    __table_args__ = (
        Index(None, "job_id"),
        Index("ix_batches_open", "opened_at", postgresql_where=text("finished_at IS NULL")),
        {"comment": "units of the gpu queue, bounded by seconds of speech"},
    )

    id: Mapped[Id]
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"))
    profile_version_id: Mapped[int] = mapped_column(ForeignKey("profile_versions.id"))
    utterances: Mapped[int]
    seconds: Mapped[float] = mapped_column(REAL)
    opened_at: Mapped[datetime | None] = mapped_column(comment="admitted by the dispatcher")
    finished_at: Mapped[datetime | None]
    created_at: Mapped[Created]
    halvings: Mapped[Halvings]


class BatchMember(Base):
    """A run of one alignment's utterances in a batch; both ends inclusive."""

    __tablename__ = "batch_members"
    __table_args__ = (
        UniqueConstraint("alignment_id", "profile_version_id", "first_no"),
        {"comment": "every utterance is in at most one batch per profile version"},
    )

    batch_id: Mapped[int] = mapped_column(ForeignKey("batches.id", ondelete="CASCADE"), primary_key=True)
    alignment_id: Mapped[int] = mapped_column(ForeignKey("alignments.id"), primary_key=True)
    first_no: Mapped[int] = mapped_column(primary_key=True)
    last_no: Mapped[int]
    profile_version_id: Mapped[BigInt]


class Stage(Base):
    """One step of work, and the truth about it; messages are only hints to look here."""

    __tablename__ = "stages"
    __table_args__ = (
        CheckConstraint(one_of("stage", STAGES), name="stage"),
        CheckConstraint(one_of("state", STAGE_STATES), name="state"),
        CheckConstraint(
            "CASE WHEN stage = 'ingest' THEN group_id IS NULL AND batch_id IS NULL"
            " WHEN stage = 'align' THEN group_id IS NOT NULL AND batch_id IS NULL"
            " ELSE group_id IS NULL AND batch_id IS NOT NULL END",
            name="unit",
        ),
        CheckConstraint(
            "(state = 'running') = (owner IS NOT NULL AND lease_until IS NOT NULL)"
            " AND (owner IS NULL) = (lease_until IS NULL)",
            name="lease",
        ),
        UniqueConstraint("group_id", "stage"),
        UniqueConstraint("batch_id", "stage"),
        Index("uq_stages_ingest", "job_id", unique=True, postgresql_where=text("stage = 'ingest'")),
        Index("ix_stages_ready", "ready_at", postgresql_where=text("state = 'ready'")),
        Index("ix_stages_waiting", "stage", "job_id", "id", postgresql_where=text("state = 'waiting'")),
        Index("ix_stages_lease", "lease_until", postgresql_where=text("state = 'running'")),
        Index("ix_stages_open", "job_id", postgresql_where=text("state IN ('waiting', 'ready', 'running')")),
        Index("ix_stages_dead", "job_id", postgresql_where=text("state = 'dead'")),
        {"comment": "work and its state: waiting, ready, running (with a lease), done, dead, cancelled"},
    )

    id: Mapped[Id]
    stage: Mapped[str] = mapped_column(comment="ingest (a job), align (a group), extract, ser, ter, fuse (a batch)")
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"))
    group_id: Mapped[int | None] = mapped_column(ForeignKey("groups.id"))
    batch_id: Mapped[int | None] = mapped_column(ForeignKey("batches.id"))
    state: Mapped[str] = mapped_column(
        comment="waiting (for the stage before), ready, running (leased), done, dead (given up), cancelled"
    )
    attempt: Mapped[int] = mapped_column(server_default="0", comment="the fence: counted at every claim")
    owner: Mapped[str | None] = mapped_column(comment="host/boot/pid/start of the process that holds the lease")
    lease_until: Mapped[datetime | None]
    root_id: Mapped[uuid.UUID] = mapped_column(comment="root of the chain in Flower")
    parent_id: Mapped[uuid.UUID | None] = mapped_column(comment="task that made it ready")
    task_id: Mapped[uuid.UUID | None] = mapped_column(comment="last message or claim")
    sent_at: Mapped[datetime | None]
    ready_at: Mapped[datetime | None] = mapped_column(comment="not before")
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    error_code: Mapped[str | None]
    error: Mapped[str | None]
    traceback: Mapped[str | None] = mapped_column(comment="of the last failed attempt, without values")
    artifact_url: Mapped[str | None]
    artifact_sha256: Mapped[str | None]
    artifact_bytes: Mapped[int | None] = mapped_column(BigInteger)
    summary: Mapped[str | None] = mapped_column(comment="one line, also shown in Flower")
    tries: Mapped[int] = mapped_column(
        server_default="0",
        comment="attempts that count: not those that a full disk, a lost connection or a shutdown ended",
    )
    progress: Mapped[str | None] = mapped_column(comment="one line: how far the last attempt is or was")


class JobRecording(Base):
    """A file of a job: what became of it, and which version's scores the job shows."""

    __tablename__ = "job_recordings"
    __table_args__ = (
        CheckConstraint(one_of("state", JOB_RECORDING_STATES), name="state"),
        Index(None, "alignment_id", "profile_version_id"),
        Index(None, "recording_id"),
        Index(None, "file_id"),
        Index("ix_job_recordings_open", "job_id", postgresql_where=text("state IN ('aligning', 'scoring')")),
        Index("ix_job_recordings_failed", "error_code", postgresql_where=text("state = 'failed'")),
        {"comment": "files of a job; done with an error_code is a warning (analysed, but without its transcript)"},
    )

    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    file_id: Mapped[int] = mapped_column(ForeignKey("archive_files.id"), primary_key=True)
    recording_id: Mapped[int | None] = mapped_column(ForeignKey("recordings.id"))
    alignment_id: Mapped[int | None] = mapped_column(ForeignKey("alignments.id"))
    profile_version_id: Mapped[int | None] = mapped_column(
        ForeignKey("profile_versions.id"), comment="may be older than the job's own when results were reused"
    )
    state: Mapped[str] = mapped_column(comment="aligning, scoring, done, failed (see error), cancelled")
    reused: Mapped[bool] = mapped_column(server_default="false", comment="true when an earlier job had the results")
    error_code: Mapped[str | None]
    error: Mapped[str | None]


class ManifestProblem(Base):
    """A line of a manifest or a list of transcripts that could not be followed; what else the line says is."""

    __tablename__ = "manifest_problems"
    __table_args__ = {"comment": "lines of manifests and of lists of transcripts that could not be followed, by job"}

    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    file: Mapped[str] = mapped_column(primary_key=True, server_default="", comment="the list; '' is the manifest")
    line: Mapped[int] = mapped_column(primary_key=True, comment="counted from 1; a record that spans lines: its first")
    code: Mapped[str] = mapped_column(primary_key=True)
    error: Mapped[str] = mapped_column(comment="a sentence that quotes nothing from the line")


class Event(Base):
    """One transition, kept for looking back."""

    __tablename__ = "events"
    __table_args__ = (Index(None, "job_id"), Index(None, "stage_id"), {"comment": "log of transitions"})

    id: Mapped[Id]
    at: Mapped[Created]
    stage_id: Mapped[int | None] = mapped_column(BigInteger)
    job_id: Mapped[int | None] = mapped_column(BigInteger)
    kind: Mapped[str]
    detail: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")
