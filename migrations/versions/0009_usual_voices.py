"""alignment_speakers.usual: how a voice usually sounds, which emotion is heard against"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column(
        "alignment_speakers",
        sa.Column(
            "usual",
            postgresql.ARRAY(sa.REAL()),
            nullable=True,
            comment="how the voice usually sounds: how much is known (0 to 1), mean statistics times that",
        ),
    )


def downgrade() -> None:
    """Undo."""
    op.drop_column("alignment_speakers", "usual")
