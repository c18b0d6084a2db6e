"""What was felt: probabilities per utterance, and their roll-up per recording."""

from datetime import datetime

from sqlalchemy import REAL, BigInteger, CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from db.tables.base import Base, BigInt, Created, one_of

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
    state: Mapped[str] = mapped_column(server_default="pending")
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


class Score(Base):
    """One utterance by one profile version. Partitioned by version; NULL outside its labels or without that side."""

    __tablename__ = "scores"
    __table_args__ = (
        *(
            CheckConstraint(
                " AND ".join(f"({c} IS NULL OR {c} BETWEEN 0 AND 1)" for c in probabilities(side)), name=f"{side}_range"
            )
            for side in SIDES
        ),
        Index(None, "batch_id"),
        {
            "comment": "probabilities per utterance and profile version",
            "postgresql_partition_by": "LIST (profile_version_id)",
        },
    )

    profile_version_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    alignment_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    utterance_no: Mapped[int] = mapped_column(primary_key=True)
    batch_id: Mapped[BigInt]
    arousal: Mapped[float | None] = mapped_column(REAL, comment="1 (calm) to 5 (excited)")
    valence: Mapped[float | None] = mapped_column(REAL, comment="1 (negative) to 5 (positive)")
    affect_source: Mapped[str | None]
    label: Mapped[str | None] = mapped_column(comment="emotion with the highest fused probability")
    confidence: Mapped[float | None] = mapped_column(REAL, comment="that probability")
    quality: Mapped[str | None]
    created_at: Mapped[Created]
    for _name in (name for side in SIDES for name in probabilities(side)):
        locals()[_name] = mapped_column(REAL, nullable=True)
    del _name
