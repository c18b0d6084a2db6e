"""What was recorded: archives, their files, recordings, and the alignments found in them."""

from datetime import datetime
from typing import Any

from sqlalchemy import REAL, BigInteger, CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from db.tables.base import Base, BigInt, Created, Id, Json, one_of

UTTERANCE_LISTS = "words: [[text, start_s, end_s, confidence], …]; phones, syllables: [[label, start_s, end_s], …]"
ALIGNMENT_STATES = ("pending", "done", "failed")


class Archive(Base):
    """A folder of recordings, or a zip or tar file of them, that was enqueued."""

    __tablename__ = "archives"
    __table_args__ = {"comment": "folders of recordings, by URL"}

    id: Mapped[Id]
    url: Mapped[str] = mapped_column(unique=True, comment="absolute folder or fsspec URL")
    created_at: Mapped[Created]
    packed_sha256: Mapped[str | None] = mapped_column(
        comment="of a zip or tar file: its content as last unpacked; NULL: a folder"
    )
    packed_bytes: Mapped[int | None] = mapped_column(BigInteger)
    packed_mtime_ns: Mapped[int | None] = mapped_column(
        BigInteger, comment="unchanged size and time skip hashing the zip or tar file"
    )


class Recording(Base):
    """One audio content, wherever it lies and however often."""

    __tablename__ = "recordings"
    __table_args__ = {"comment": "one row per audio content"}

    id: Mapped[Id]
    sha256: Mapped[str] = mapped_column(unique=True, comment="hash of the file's bytes")
    size_bytes: Mapped[BigInt]
    duration_s: Mapped[float | None] = mapped_column(REAL)
    sample_rate: Mapped[int | None]
    channels: Mapped[int | None]
    codec: Mapped[str | None]
    error_code: Mapped[str | None] = mapped_column(comment="why it cannot be read at all")
    error: Mapped[str | None]
    created_at: Mapped[Created]


class ArchiveFile(Base):
    """A path in an archive, pointing to its content as last seen."""

    __tablename__ = "archive_files"
    __table_args__ = (
        UniqueConstraint("archive_id", "path"),
        Index(None, "path"),
        Index(None, "recording_id"),
        {"comment": "paths in archives and what they held when last seen"},
    )

    id: Mapped[Id]
    archive_id: Mapped[int] = mapped_column(ForeignKey("archives.id"))
    path: Mapped[str] = mapped_column(comment="relative to the archive, with /")
    size_bytes: Mapped[BigInt]
    mtime_ns: Mapped[BigInt] = mapped_column(comment="unchanged path, size and time skip the hash")
    recording_id: Mapped[int | None] = mapped_column(ForeignKey("recordings.id"))
    transcript_path: Mapped[str | None]
    transcript_sha256: Mapped[str] = mapped_column(server_default="", comment="'' without a transcript")
    file_metadata: Mapped[dict[str, Any]] = mapped_column("metadata", JSONB, server_default="{}")
    recorded_at: Mapped[datetime | None]
    error_code: Mapped[str | None] = mapped_column(comment="why this file could not be opened")
    error: Mapped[str | None]
    seen_at: Mapped[Created]
    options_hash: Mapped[str | None] = mapped_column(
        comment="options it was last aligned with: the job's, or those of its line in the manifest"
    )
    dialogue: Mapped[str | None] = mapped_column(comment="the conversation it is a part of, from the manifest")
    transcript_place: Mapped[dict[str, Any] | None] = mapped_column(
        JSONB(none_as_null=True), comment="where in transcript_path its text stands; NULL: it is all of that file"
    )


class AlignmentRow(Base):
    """One immutable result of aligning a recording with a transcript and options."""

    __tablename__ = "alignments"
    __table_args__ = (
        UniqueConstraint("recording_id", "transcript_sha256", "options_hash"),
        Index(None, "source_file_id"),
        CheckConstraint(one_of("state", ALIGNMENT_STATES), name="state"),
        {"comment": "utterances found in a recording; reused by every later job with the same options"},
    )

    id: Mapped[Id]
    recording_id: Mapped[int] = mapped_column(ForeignKey("recordings.id"))
    transcript_sha256: Mapped[str] = mapped_column(server_default="")
    options_hash: Mapped[str]
    options: Mapped[Json]
    source_file_id: Mapped[int] = mapped_column(ForeignKey("archive_files.id"), comment="where to read it from")
    state: Mapped[str] = mapped_column(
        server_default="pending", comment="pending, done (its utterances are stored), failed (see error)"
    )
    aligner: Mapped[str | None]
    language: Mapped[str | None]
    duration_s: Mapped[float | None] = mapped_column(REAL)
    quality: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    error_code: Mapped[str | None]
    error: Mapped[str | None]
    created_at: Mapped[Created]
    finished_at: Mapped[datetime | None]


class SpeakerRow(Base):
    """A voice: an identity across recordings when a transcript names it, else a voice of one recording."""

    __tablename__ = "speakers"
    __table_args__ = (
        UniqueConstraint("name", "recording_id", postgresql_nulls_not_distinct=True),
        Index(None, "recording_id"),
        {"comment": "recording_id NULL: a named identity; else an unnamed voice of that recording"},
    )

    id: Mapped[Id]
    name: Mapped[str]
    recording_id: Mapped[int | None] = mapped_column(ForeignKey("recordings.id"))


class AlignmentSpeaker(Base):
    """A speaker as heard in one alignment."""

    __tablename__ = "alignment_speakers"
    __table_args__ = (
        Index(None, "speaker_id"),
        {"comment": "voice embeddings (256 numbers) of an alignment's speakers"},
    )

    alignment_id: Mapped[int] = mapped_column(ForeignKey("alignments.id", ondelete="CASCADE"), primary_key=True)
    speaker_id: Mapped[int] = mapped_column(ForeignKey("speakers.id"), primary_key=True)
    channel: Mapped[int | None]
    embedding: Mapped[list[float]] = mapped_column(ARRAY(REAL))
    usual: Mapped[list[float] | None] = mapped_column(
        ARRAY(REAL), comment="how the voice usually sounds: how much is known (0 to 1), mean statistics times that"
    )


class UtteranceRow(Base):
    """One stretch of one speaker's speech."""

    __tablename__ = "utterances"
    __table_args__ = (
        CheckConstraint("end_s > start_s", name="has_duration"),
        Index(None, "speaker_id"),
        {"comment": UTTERANCE_LISTS},
    )

    alignment_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("alignments.id", ondelete="CASCADE"), primary_key=True
    )
    utterance_no: Mapped[int] = mapped_column(primary_key=True)
    speaker_id: Mapped[int] = mapped_column(ForeignKey("speakers.id"))
    channel: Mapped[int | None]
    start_s: Mapped[float] = mapped_column(REAL)
    end_s: Mapped[float] = mapped_column(REAL)
    text: Mapped[str | None]
    language: Mapped[str | None]
    words: Mapped[list[Any] | None] = mapped_column(JSONB(none_as_null=True))
    phones: Mapped[list[Any] | None] = mapped_column(JSONB(none_as_null=True))
    syllables: Mapped[list[Any] | None] = mapped_column(JSONB(none_as_null=True))
    quality: Mapped[str | None] = mapped_column(comment="what is missing and why, NULL when nothing")
