"""an index of failed recordings, so that metrics count them without reading the others"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_index(
        "ix_job_recordings_failed",
        "job_recordings",
        ["error_code"],
        unique=False,
        postgresql_where=sa.text("state = 'failed'"),
    )


def downgrade() -> None:
    """Take back."""
    op.drop_index("ix_job_recordings_failed", table_name="job_recordings", postgresql_where=sa.text("state = 'failed'"))
