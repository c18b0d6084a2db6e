"""labels: what people heard, on stretches of recordings"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_EMOTIONS = ("angry", "happy", "neutral", "sad", "fear", "disgust", "surprise")
_SHARES = tuple(f"share_{emotion}" for emotion in _EMOTIONS)


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "labels",
        sa.Column("recording_id", sa.BigInteger(), nullable=False),
        sa.Column("start_s", sa.Double(), nullable=False),
        sa.Column("end_s", sa.Double(), nullable=False),
        sa.Column(
            "annotator", sa.Text(), nullable=False, comment="who judged; a corpus's name: what it publishes as agreed"
        ),
        sa.Column("corpus", sa.Text(), nullable=False),
        sa.Column("item_id", sa.Text(), nullable=False, comment="the corpus's name for it"),
        sa.Column("label", sa.Text(), nullable=True, comment="NULL: nothing was agreed, or none of the classes"),
        sa.Column(
            "source_label", sa.Text(), nullable=True, comment="the corpus's own word, before classes were merged"
        ),
        *(sa.Column(name, sa.REAL(), nullable=True) for name in _SHARES),
        sa.Column("arousal", sa.REAL(), nullable=True, comment="1 (calm) to 5 (excited)"),
        sa.Column("valence", sa.REAL(), nullable=True, comment="1 (negative) to 5 (positive)"),
        sa.Column("speaker", sa.Text(), nullable=False, comment="unique across corpora"),
        sa.Column("dialogue", sa.Text(), nullable=True),
        sa.Column("session", sa.Text(), nullable=True, comment="people who are kept together when a corpus is split"),
        sa.Column("split", sa.Text(), nullable=True, comment="the corpus's own: train, dev, test"),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("imported_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            f"label IN ({', '.join(repr(emotion) for emotion in _EMOTIONS)})", name=op.f("ck_labels_label")
        ),
        sa.CheckConstraint("0 <= start_s AND start_s < end_s", name=op.f("ck_labels_has_duration")),
        sa.CheckConstraint(
            " AND ".join(f"({name} IS NULL OR {name} BETWEEN 0 AND 1)" for name in _SHARES),
            name=op.f("ck_labels_share_range"),
        ),
        sa.CheckConstraint(
            "(arousal IS NULL OR arousal BETWEEN 1 AND 5) AND (valence IS NULL OR valence BETWEEN 1 AND 5)",
            name=op.f("ck_labels_affect_range"),
        ),
        sa.CheckConstraint(
            "coalesce(label, arousal::text, valence::text, share_angry::text) IS NOT NULL",
            name=op.f("ck_labels_says_something"),
        ),
        sa.ForeignKeyConstraint(
            ["recording_id"], ["recordings.id"], name=op.f("fk_labels_recording_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("recording_id", "start_s", "end_s", "annotator", name=op.f("pk_labels")),
        comment="labels by people, on seconds of a recording; they meet utterances by overlap",
    )
    op.create_index(op.f("ix_labels_corpus"), "labels", ["corpus"])


def downgrade() -> None:
    """Undo."""
    op.drop_table("labels")
