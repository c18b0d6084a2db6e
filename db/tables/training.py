"""Retraining: when runs are due, the runs themselves, what they are measured on, and what drifts since."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import REAL, CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from db.states import RUN_STAGES, RUN_STATES
from db.tables.base import Base, BigInt, Created, Id, Json, one_of

#: Whose speech a speaker's is, for ever: nobody who was trained on is tested on later, or the other way round.
PARTS = ("train", "holdout")
#: What a frozen data set is for.
ROLES = ("reference", "holdout", "learned")
#: What a run was made for.
TRIGGERS = ("hand", "interval", "labels", "drift")


class TrainingSchedule(Base):
    """When a profile is retrained, and how. A NULL means: not for this reason."""

    __tablename__ = "training_schedules"
    __table_args__ = (
        CheckConstraint("interval_s > 0 AND min_labels > 0 AND drift_limit > 0", name="positive"),
        {"comment": "when profiles are retrained: after an interval, so many new labels, or drift"},
    )

    id: Mapped[Id]
    profile_id: Mapped[int] = mapped_column(ForeignKey("profiles.id"), unique=True)
    enabled: Mapped[bool] = mapped_column(server_default="true")
    interval_s: Mapped[float | None] = mapped_column(comment="between two runs; nothing is done without new labels")
    min_labels: Mapped[int | None] = mapped_column(comment="so many new labels since the last run")
    drift_limit: Mapped[float | None] = mapped_column(REAL, comment="population stability index above which it is due")
    plan: Mapped[Json] = mapped_column(comment="method and its options, as `tenor retrain` takes them")
    created_at: Mapped[Created]


class TrainingRun(Base):
    """One attempt at a better version, and the truth about it; messages are only hints to look here."""

    __tablename__ = "training_runs"
    __table_args__ = (
        CheckConstraint(one_of("state", RUN_STATES), name="state"),
        CheckConstraint(one_of("stage", RUN_STAGES), name="stage"),
        CheckConstraint(one_of("trigger", TRIGGERS), name="trigger"),
        CheckConstraint(
            "(state = 'running') = (owner IS NOT NULL AND lease_until IS NOT NULL)"
            " AND (owner IS NULL) = (lease_until IS NULL)",
            name="lease",
        ),
        UniqueConstraint("schedule_id", "due_at"),
        Index(None, "profile_id"),
        Index(
            "ix_training_runs_open", "ready_at", postgresql_where=text("state IN ('waiting', 'ready', 'running')")
        ),
        {"comment": "retraining: a row per run, from the reason it was made to the decision about its model"},
    )  # fmt: skip

    id: Mapped[Id]
    schedule_id: Mapped[int | None] = mapped_column(ForeignKey("training_schedules.id"), comment="NULL: by hand")
    due_at: Mapped[datetime] = mapped_column(comment="two schedulers that find it due make one run")
    trigger: Mapped[str] = mapped_column(comment="hand, interval, labels, drift")
    profile_id: Mapped[int] = mapped_column(ForeignKey("profiles.id"))
    plan: Mapped[Json]
    state: Mapped[str] = mapped_column(
        server_default="waiting",
        comment="waiting (for other runs), ready, running (leased), done (passed the gate), refused, failed, cancelled",
    )
    stage: Mapped[str] = mapped_column(server_default="prepare", comment="prepare, train, evaluate, promote")
    fingerprint: Mapped[str | None] = mapped_column(comment="of the frozen data set")
    labels: Mapped[int | None] = mapped_column(comment="labelled utterances of the data set")
    labels_until: Mapped[datetime | None] = mapped_column(comment="labels that came later count as new")
    champion_id: Mapped[int | None] = mapped_column(
        ForeignKey("profile_versions.id"), comment="the version to beat, pinned when the run began"
    )
    challenger: Mapped[dict[str, Any] | None] = mapped_column(JSONB, comment="specification of the new version")
    challenger_id: Mapped[int | None] = mapped_column(ForeignKey("profile_versions.id"), comment="once promoted")
    decision: Mapped[str | None] = mapped_column(comment="promoted, passed (to be promoted by hand), refused")
    reason: Mapped[str | None] = mapped_column(comment="the decision in a sentence")
    numbers: Mapped[dict[str, Any] | None] = mapped_column(JSONB, comment="what the decision rests on")
    progress: Mapped[dict[str, Any] | None] = mapped_column(JSONB, comment="what is done at this moment, of how much")
    folder: Mapped[str | None] = mapped_column(comment="manifests, checkpoints, bundles, report.md")
    attempt: Mapped[int] = mapped_column(server_default="0", comment="the fence: counted at every claim")
    tries: Mapped[int] = mapped_column(server_default="0", comment="attempts at this stage that count")
    owner: Mapped[str | None] = mapped_column(comment="host/boot/pid/start of the process that holds the lease")
    lease_until: Mapped[datetime | None]
    root_id: Mapped[uuid.UUID] = mapped_column(comment="root of the chain in Flower")
    task_id: Mapped[uuid.UUID | None] = mapped_column(comment="last claim")
    sent_at: Mapped[datetime | None]
    ready_at: Mapped[datetime | None] = mapped_column(comment="not before")
    started_at: Mapped[datetime | None] = mapped_column(comment="of this stage's last attempt")
    finished_at: Mapped[datetime | None]
    error_code: Mapped[str | None]
    error: Mapped[str | None]
    traceback: Mapped[str | None] = mapped_column(comment="of the last failed attempt, without values")
    created_at: Mapped[Created]


class SpeakerPart(Base):
    """Whether a speaker is learned from or tested on, decided when they are first seen."""

    __tablename__ = "speaker_parts"
    __table_args__ = (
        CheckConstraint(one_of("part", PARTS), name="part"),
        {"comment": "per profile: speakers to learn from and speakers to test on, for ever"},
    )

    profile_id: Mapped[int] = mapped_column(ForeignKey("profiles.id"), primary_key=True)
    speaker: Mapped[str] = mapped_column(primary_key=True)
    part: Mapped[str] = mapped_column(comment="train, holdout")
    decided_at: Mapped[Created]


class TrainingCorpus(Base):
    """A frozen data set whose labels are trusted: registered by somebody, or that of a promoted run."""

    __tablename__ = "training_corpora"
    __table_args__ = (
        CheckConstraint(one_of("role", ROLES), name="role"),
        UniqueConstraint("profile_id", "name"),
        {"comment": "frozen data sets that are trusted; no promotion may do worse on them"},
    )

    id: Mapped[Id]
    profile_id: Mapped[int] = mapped_column(ForeignKey("profiles.id"))
    name: Mapped[str]
    manifest: Mapped[str] = mapped_column(comment="path of the frozen Parquet file")
    fingerprint: Mapped[str]
    role: Mapped[str] = mapped_column(
        comment="reference (registered: learned from and measured on), holdout (measured on), learned (trusted labels)"
    )
    run_id: Mapped[int | None] = mapped_column(ForeignKey("training_runs.id"), comment="NULL: registered")
    created_at: Mapped[Created]


class QualityReference(Base):
    """What a version's output looked like when all was well."""

    __tablename__ = "quality_references"
    __table_args__ = {"comment": "per version: distributions that later ones are compared with"}

    profile_version_id: Mapped[int] = mapped_column(ForeignKey("profile_versions.id"), primary_key=True)
    source: Mapped[str] = mapped_column(comment="training, or first (the first utterances it scored)")
    utterances: Mapped[int]
    reference: Mapped[dict[str, Any]] = mapped_column(JSONB, comment="bins and shares, samples for MMD")
    created_at: Mapped[Created]


class QualityMeasure(Base):
    """How far recent output of a version is from its reference."""

    __tablename__ = "quality_measures"
    __table_args__ = (
        Index(None, "profile_version_id", "measured_at"),
        {"comment": "drift of recent probabilities, features and voices against the reference"},
    )

    id: Mapped[Id]
    profile_version_id: Mapped[BigInt] = mapped_column(ForeignKey("profile_versions.id"))
    measured_at: Mapped[Created]
    utterances: Mapped[int]
    psi: Mapped[float] = mapped_column(REAL, comment="largest population stability index of all measures")
    psi_of: Mapped[Json] = mapped_column(comment="the index of each measure")
    mmd: Mapped[float | None] = mapped_column(REAL, comment="squared maximum mean discrepancy of probabilities")
    mmd_p: Mapped[float | None] = mapped_column(REAL, comment="share of random divisions with a larger one")
    mmd_voices: Mapped[float | None] = mapped_column(REAL, comment="the same of voice embeddings")
    mmd_voices_p: Mapped[float | None] = mapped_column(REAL)
