"""Which models there are: profiles, their immutable versions, and the bundles those name."""

from typing import Any

from sqlalchemy import BigInteger, ForeignKey, UniqueConstraint
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TEXT
from sqlalchemy.orm import Mapped, mapped_column

from db.tables.base import Base, Created, Id


class Profile(Base):
    """A named way of analysing; its champion is the version that new jobs pin."""

    __tablename__ = "profiles"
    __table_args__ = {"comment": "ways of analysing, by name"}

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(unique=True)
    champion_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("profile_versions.id", use_alter=True, name="fk_profiles_champion_id")
    )
    written_id: Mapped[int | None] = mapped_column(
        BigInteger,
        ForeignKey("profile_versions.id", use_alter=True, name="fk_profiles_written_id"),
        comment="what its file said when it was last enqueued; while that stays, promotions stand",
    )
    created_at: Mapped[Created]


class ProfileVersion(Base):
    """One immutable choice of bundles, encoder, calibration, fusion weights and labels."""

    __tablename__ = "profile_versions"
    __table_args__ = (
        UniqueConstraint("profile_id", "version"),
        UniqueConstraint("profile_id", "fingerprint"),
        {"comment": "immutable: a change of anything is a new version"},
    )

    id: Mapped[Id]
    profile_id: Mapped[int] = mapped_column(ForeignKey("profiles.id"))
    version: Mapped[int]
    fingerprint: Mapped[str] = mapped_column(comment="hash of spec")
    spec: Mapped[dict[str, Any]] = mapped_column(JSONB)
    label_set: Mapped[list[str]] = mapped_column(ARRAY(TEXT))
    created_at: Mapped[Created]


class Model(Base):
    """A bundle that some profile version uses."""

    __tablename__ = "models"
    __table_args__ = {"comment": "bundles seen, by the hash of their weights"}

    id: Mapped[Id]
    kind: Mapped[str]
    name: Mapped[str]
    sha256: Mapped[str] = mapped_column(unique=True)
    location: Mapped[str]
    licence: Mapped[str]
    meta: Mapped[dict[str, Any]] = mapped_column(JSONB)
    created_at: Mapped[Created]
