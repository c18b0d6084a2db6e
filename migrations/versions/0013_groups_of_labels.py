"""labels.gender and labels.style: what held-out people are grouped by"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("labels", sa.Column("gender", sa.Text(), comment="the speaker's, as the labels say: female, male"))
    op.add_column(
        "labels", sa.Column("style", sa.Text(), comment="acted, scripted, improvised, spontaneous, as the corpus says")
    )


def downgrade() -> None:
    """Undo."""
    op.drop_column("labels", "style")
    op.drop_column("labels", "gender")
