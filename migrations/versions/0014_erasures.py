"""erasures: what was erased, marks that keep it from coming back, and indexes by which everything of it is found"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

#: Foreign keys of what is deleted: without these each deleted row reads the whole of the other table.
_INDEXES = (
    ("utterances", "speaker_id"),
    ("alignment_speakers", "speaker_id"),
    ("speakers", "recording_id"),
    ("alignments", "source_file_id"),
    ("job_recordings", "recording_id"),
    ("job_recordings", "file_id"),
)


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "erasures",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("kind", sa.String(), nullable=False, comment="recordings, person"),
        sa.Column("erased_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column(
            "counts",
            postgresql.JSONB(),
            server_default="{}",
            nullable=False,
            comment="how much of what is gone",
        ),
        sa.Column(
            "todo",
            postgresql.JSONB(),
            nullable=True,
            comment="what is still to be removed, so that a killed call can go on; then NULL",
        ),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "allowed_at", sa.DateTime(timezone=True), nullable=True, comment="since when it may be analysed again"
        ),
        sa.CheckConstraint("kind IN ('recordings', 'person')", name=op.f("ck_erasures_kind")),
        sa.CheckConstraint("finished_at IS NULL OR todo IS NULL", name=op.f("ck_erasures_finished_says_nothing")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasures")),
        comment="what was erased, in numbers; no names, no paths, no hashes of audio",
    )
    op.create_table(
        "erased_marks",
        sa.Column("digest", sa.String(), nullable=False, comment="of a content's hash, or of a name"),
        sa.Column("erasure_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["erasure_id"], ["erasures.id"], name=op.f("fk_erased_marks_erasure_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_erased_marks")),
        comment="digests of what was erased: whoever has the audio, or the name, can tell; nobody else",
    )
    op.create_index(op.f("ix_erased_marks_erasure_id"), "erased_marks", ["erasure_id"])
    for table, column in _INDEXES:
        op.create_index(op.f(f"ix_{table}_{column}"), table, [column])


def downgrade() -> None:
    """Take back."""
    for table, column in reversed(_INDEXES):
        op.drop_index(op.f(f"ix_{table}_{column}"), table_name=table)
    op.drop_table("erased_marks")
    op.drop_table("erasures")
