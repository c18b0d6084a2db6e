"""stages.progress: how far a running stage is, as its worker last told"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column(
        "stages",
        sa.Column("progress", sa.String(), nullable=True, comment="one line: how far the last attempt is or was"),
    )


def downgrade() -> None:
    """Undo."""
    op.drop_column("stages", "progress")
