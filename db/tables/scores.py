"""What was felt: probabilities per utterance, and their roll-up per recording."""

from datetime import datetime

from sqlalchemy import (
    REAL,
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    func,
)
from sqlalchemy.orm import Mapped, mapped_column

from db.tables.base import Base, one_of

#: The canonical classes, in the order of their columns (the same as `ml.emotions.EMOTIONS`; a test compares them).
EMOTIONS = ("angry", "happy", "neutral", "sad", "fear", "disgust", "surprise")
SIDES = ("speech", "text", "fused")


def probabilities(prefix: str) -> tuple[str, ...]:
    """Column names of one side."""
    return tuple(f"{prefix}_{emotion}" for emotion in EMOTIONS)


class RecordingScore(Base):
    """The roll-up of one alignment by one profile version; `done` when every utterance is scored."""

    __tablename__ = "recording_scores"
    __table_args__ = (
        CheckConstraint(one_of("state", ("pending", "done", "failed")), name="state"),
        Index(None, "profile_version_id"),
        {"comment": "per recording: means of fused probabilities weighted by seconds of speech"},
    )

    alignment_id: Mapped[int] = mapped_column(ForeignKey("alignments.id", ondelete="CASCADE"), primary_key=True)
    profile_version_id: Mapped[int] = mapped_column(ForeignKey("profile_versions.id"), primary_key=True)
    state: Mapped[str] = mapped_column(
        server_default="pending", comment="pending, done (every utterance is scored), failed"
    )
    utterances: Mapped[int | None]
    speech_s: Mapped[float | None] = mapped_column(REAL)
    mean_angry: Mapped[float | None] = mapped_column(REAL)
    mean_happy: Mapped[float | None] = mapped_column(REAL)
    mean_neutral: Mapped[float | None] = mapped_column(REAL)
    mean_sad: Mapped[float | None] = mapped_column(REAL)
    mean_fear: Mapped[float | None] = mapped_column(REAL)
    mean_disgust: Mapped[float | None] = mapped_column(REAL)
    mean_surprise: Mapped[float | None] = mapped_column(REAL)
    label: Mapped[str | None] = mapped_column(comment="emotion with the highest mean")
    finished_at: Mapped[datetime | None]


#: One utterance by one profile version; NULL outside its labels or without that side. Partitioned by version.
scores = Table(
    "scores",
    Base.metadata,
    Column("profile_version_id", BigInteger, primary_key=True),
    Column("alignment_id", BigInteger, primary_key=True),
    Column("utterance_no", Integer, primary_key=True),
    Column("batch_id", BigInteger, nullable=False, index=True),
    *(Column(name, REAL) for side in SIDES for name in probabilities(side)),
    Column("arousal", REAL, comment="1 (calm) to 5 (excited)"),
    Column("valence", REAL, comment="1 (negative) to 5 (positive)"),
    Column("affect_source", Text),
    Column("label", Text, comment="emotion with the highest fused probability"),
    Column("confidence", REAL, comment="that probability"),
    Column("quality", Text, comment="what is missing and why, NULL when nothing"),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    *(
        CheckConstraint(
            " AND ".join(f"({name} IS NULL OR {name} BETWEEN 0 AND 1)" for name in probabilities(side)),
            name=f"{side}_range",
        )
        for side in SIDES
    ),
    comment="probabilities per utterance and profile version",
    postgresql_partition_by="LIST (profile_version_id)",
)
