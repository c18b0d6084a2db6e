"""lists of transcripts: where in a file the text of a recording stands, and which lines could not be followed"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_COMMENTS = (
    (
        "lines of manifests that could not be followed, by job",
        "a sentence that quotes nothing from the manifest",
    ),
    (
        "lines of manifests and of lists of transcripts that could not be followed, by job",
        "a sentence that quotes nothing from the line",
    ),
)


def _describe(old: int, new: int) -> None:
    op.create_table_comment("manifest_problems", _COMMENTS[new][0], existing_comment=_COMMENTS[old][0])
    op.alter_column(
        "manifest_problems", "error", comment=_COMMENTS[new][1], existing_comment=_COMMENTS[old][1],
        existing_type=sa.String(), existing_nullable=False,
    )  # fmt: skip


def upgrade() -> None:
    """Apply."""
    # Empty at first, so that no row is rewritten while the table is locked.
    place = "where in transcript_path its text stands; NULL: it is all of that file"
    op.add_column("archive_files", sa.Column("transcript_place", JSONB(), nullable=True, comment=place))
    file = sa.Column("file", sa.String(), server_default="", nullable=False, comment="the list; '' is the manifest")
    op.add_column("manifest_problems", file)
    op.drop_constraint(op.f("pk_manifest_problems"), "manifest_problems")
    op.create_primary_key(op.f("pk_manifest_problems"), "manifest_problems", ["job_id", "file", "line", "code"])
    _describe(0, 1)


def downgrade() -> None:
    """Undo; problems of lists are lost."""
    _describe(1, 0)
    op.execute("DELETE FROM manifest_problems WHERE file <> ''")
    op.drop_constraint(op.f("pk_manifest_problems"), "manifest_problems")
    op.create_primary_key(op.f("pk_manifest_problems"), "manifest_problems", ["job_id", "line", "code"])
    op.drop_column("manifest_problems", "file")
    op.drop_column("archive_files", "transcript_place")
