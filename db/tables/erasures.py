"""What was erased: when, how much, and marks by which it is known again without saying what it was."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from db.tables.base import Base, Created, Id, one_of

#: What can be erased: recordings by their content, a person by name.
KINDS = ("recordings", "person")


class Erasure(Base):
    """One call of `tenor erase`; holds numbers only, once nothing is left to do."""

    __tablename__ = "erasures"
    __table_args__ = (
        CheckConstraint(one_of("kind", KINDS), name="kind"),
        CheckConstraint("finished_at IS NULL OR todo IS NULL", name="finished_says_nothing"),
        {"comment": "what was erased, in numbers; no names, no paths, no hashes of audio"},
    )

    id: Mapped[Id]
    kind: Mapped[str] = mapped_column(comment="recordings, person")
    erased_at: Mapped[Created]
    counts: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}", comment="how much of what is gone")
    todo: Mapped[dict[str, Any] | None] = mapped_column(
        JSONB(none_as_null=True), comment="what is still to be removed, so that a killed call can go on; then NULL"
    )
    finished_at: Mapped[datetime | None]
    allowed_at: Mapped[datetime | None] = mapped_column(comment="since when it may be analysed again")


class ErasedMark(Base):
    """Keeps what was erased from being analysed again."""

    __tablename__ = "erased_marks"
    __table_args__ = (
        Index(None, "erasure_id"),
        {"comment": "digests of what was erased: whoever has the audio, or the name, can tell; nobody else"},
    )

    digest: Mapped[str] = mapped_column(primary_key=True, comment="of a content's hash, or of a name")
    erasure_id: Mapped[int] = mapped_column(ForeignKey("erasures.id", ondelete="CASCADE"))
