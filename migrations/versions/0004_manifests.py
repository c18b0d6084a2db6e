"""manifests: packed archives, what a manifest says of a file, and lines of it that could not be followed"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

#: All of them empty at first, so that no row is rewritten while the table is locked.
_COLUMNS = (
    ("archives", "packed_sha256", sa.String(), "of a zip or tar file: its content as last unpacked; NULL: a folder"),
    ("archives", "packed_bytes", sa.BigInteger(), None),
    ("archives", "packed_mtime_ns", sa.BigInteger(), "unchanged size and time skip hashing the zip or tar file"),
    (
        "archive_files",
        "options_hash",
        sa.String(),
        "options it was last aligned with: the job's, or those of its line in the manifest",
    ),
    ("archive_files", "dialogue", sa.String(), "the conversation it is a part of, from the manifest"),
)


def upgrade() -> None:
    """Apply."""
    for table, name, kind, comment in _COLUMNS:
        op.add_column(table, sa.Column(name, kind, nullable=True, comment=comment))
    op.create_table(
        "manifest_problems",
        sa.Column("job_id", sa.BigInteger(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False, comment="counted from 1; a record that spans lines: its first"),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("error", sa.String(), nullable=False, comment="a sentence that quotes nothing from the manifest"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_manifest_problems_job_id")),
        sa.PrimaryKeyConstraint("job_id", "line", "code", name=op.f("pk_manifest_problems")),
        comment="lines of manifests that could not be followed, by job",
    )


def downgrade() -> None:
    """Undo."""
    op.drop_table("manifest_problems")
    for table, name, _, _ in reversed(_COLUMNS):
        op.drop_column(table, name)
