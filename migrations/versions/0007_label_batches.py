"""labels of one's own: their batches with agreement, what they replaced, and speakers that the analysis knows"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_FORMATS = ("table", "jsonl", "label-studio", "textgrid")
_SPEAKER, _SPEAKER_BEFORE = (
    "unique across corpora; NULL: whoever the analysis hears there",
    "unique across corpora",
)
_LANGUAGE, _CORPUS = "NULL: as the analysis says", "archive: labels of one's own"


def _agreement(measure: str, level: str) -> tuple[sa.Column[object], ...]:
    return (
        sa.Column(f"{measure}_alpha", sa.Double(), comment=f"Krippendorff's alpha ({level}); NULL: see {measure}_note"),
        sa.Column(f"{measure}_low", sa.Double(), comment="lower end of its 95 % interval, by bootstrap over stretches"),
        sa.Column(f"{measure}_high", sa.Double(), comment="upper end"),
        sa.Column(
            f"{measure}_items", sa.Integer(), nullable=False, comment="stretches that two or more annotators judged"
        ),
        sa.Column(f"{measure}_note", sa.Text(), comment="why there is no alpha"),
    )


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "label_batches",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column(
            "source", sa.Text(), nullable=False, comment="name of the file or folder that was read, without its folder"
        ),
        sa.Column("sha256", sa.Text(), nullable=False, comment="hash of what was read"),
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("annotators", ARRAY(sa.Text()), nullable=False, comment="who judged"),
        sa.Column("added", sa.Integer(), nullable=False, comment="labels that were new"),
        sa.Column(
            "corrected", sa.Integer(), nullable=False, comment="labels that replaced the annotator's earlier one"
        ),
        sa.Column("unchanged", sa.Integer(), nullable=False, comment="labels that were there already"),
        sa.Column("refused", sa.Integer(), nullable=False, comment="lines that could not be followed"),
        sa.Column(
            "left_out", JSONB(), nullable=False, comment="lines that say nothing, e.g. skipped tasks: {reason: number}"
        ),
        *_agreement("emotion", "nominal"),
        *_agreement("arousal", "interval"),
        *_agreement("valence", "interval"),
        sa.CheckConstraint(f"format IN ({', '.join(map(repr, _FORMATS))})", name=op.f("ck_label_batches_format")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_label_batches")),
        comment="imports of labels of one's own, with the agreement of the annotators on what they brought",
    )
    op.create_table(
        "replaced_labels",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("recording_id", sa.BigInteger(), nullable=False),
        sa.Column("start_s", sa.Double(), nullable=False),
        sa.Column("end_s", sa.Double(), nullable=False),
        sa.Column("annotator", sa.Text(), nullable=False),
        sa.Column("was", JSONB(), nullable=False, comment="the row of labels before, without its key"),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=False, comment="when that had been imported"),
        sa.Column("replaced_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("replaced_by", sa.BigInteger(), comment="import that brought another judgement; NULL: a corpus"),
        sa.ForeignKeyConstraint(
            ["recording_id"], ["recordings.id"], name=op.f("fk_replaced_labels_recording_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["replaced_by"], ["label_batches.id"], name=op.f("fk_replaced_labels_replaced_by"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_replaced_labels")),
        comment="labels as they were before they were corrected",
    )
    op.create_index(op.f("ix_replaced_labels_recording_id"), "replaced_labels", ["recording_id"])
    op.create_index(op.f("ix_replaced_labels_replaced_by"), "replaced_labels", ["replaced_by"])
    op.add_column("labels", sa.Column("note", sa.Text(), comment="what the annotator remarked"))
    op.add_column(
        "labels", sa.Column("batch_id", sa.BigInteger(), comment="import that brought it as it is; NULL: a corpus")
    )
    op.create_foreign_key(
        op.f("fk_labels_batch_id"), "labels", "label_batches", ["batch_id"], ["id"], ondelete="SET NULL"
    )
    op.create_index(op.f("ix_labels_batch_id"), "labels", ["batch_id"])
    op.create_index(op.f("ix_labels_imported_at"), "labels", ["imported_at"])
    op.alter_column("labels", "speaker", nullable=True, comment=_SPEAKER, existing_comment=_SPEAKER_BEFORE)
    op.alter_column("labels", "language", nullable=True, comment=_LANGUAGE)
    op.alter_column("labels", "corpus", comment=_CORPUS)


def downgrade() -> None:
    """Undo; what the analysis would say of speaker and language becomes a fixed word."""
    op.execute("UPDATE labels SET speaker = 'recording ' || recording_id WHERE speaker IS NULL")
    op.execute("UPDATE labels SET language = 'und' WHERE language IS NULL")
    op.alter_column("labels", "corpus", comment=None, existing_comment=_CORPUS)
    op.alter_column("labels", "language", nullable=False, comment=None, existing_comment=_LANGUAGE)
    op.alter_column("labels", "speaker", nullable=False, comment=_SPEAKER_BEFORE, existing_comment=_SPEAKER)
    op.drop_index(op.f("ix_labels_imported_at"), "labels")
    op.drop_column("labels", "batch_id")
    op.drop_column("labels", "note")
    op.drop_table("replaced_labels")
    op.drop_table("label_batches")
