"""the region of an annotation tool that a label was drawn as, so that one which is moved is not a second label"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column(
        "labels",
        sa.Column(
            "region",
            sa.Text(),
            nullable=True,
            comment="task and region of the tool that it was drawn with; NULL: another source",
        ),
    )


def downgrade() -> None:
    """Take back."""
    op.drop_column("labels", "region")
