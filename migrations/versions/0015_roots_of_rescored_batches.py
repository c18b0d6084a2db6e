"""jobs.root_id: a job that scores again has no walk, and each of its batches is a root"""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.alter_column(
        "jobs",
        "root_id",
        existing_comment="root of all its Celery messages",
        comment="root of its Celery messages; of batches that are scored again each is a root",
    )


def downgrade() -> None:
    """Undo."""
    op.alter_column(
        "jobs",
        "root_id",
        existing_comment="root of its Celery messages; of batches that are scored again each is a root",
        comment="root of all its Celery messages",
    )
