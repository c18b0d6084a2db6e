"""alignment: syllables beside words and phones"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_BEFORE = "words = [[text, start_s, end_s, confidence], ...], phones = [[label, start_s, end_s], ...]"
_AFTER = "words: [[text, start_s, end_s, confidence], …]; phones, syllables: [[label, start_s, end_s], …]"


def upgrade() -> None:
    """Apply."""
    op.add_column("utterances", sa.Column("syllables", postgresql.JSONB(none_as_null=True), nullable=True))
    op.create_table_comment("utterances", _AFTER, existing_comment=_BEFORE)


def downgrade() -> None:
    """Undo."""
    op.create_table_comment("utterances", _BEFORE, existing_comment=_AFTER)
    op.drop_column("utterances", "syllables")
