"""faults: counted tries, halved units, paused jobs, every transition logged"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column(
        "jobs",
        sa.Column(
            "paused_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="set while nothing of it is begun; what runs is finished",
        ),
    )
    op.add_column(
        "jobs",
        sa.Column("walked_to", sa.String(), nullable=True, comment="the last path that the walk has linked"),
    )
    for table in ("groups", "batches"):
        op.add_column(
            table,
            sa.Column(
                "halvings",
                sa.Integer(),
                server_default="0",
                nullable=False,
                comment="how often it was cut in two to find what kills its worker",
            ),
        )
    op.add_column(
        "stages",
        sa.Column(
            "tries",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="attempts that count: not those that a full disk, a lost connection or a shutdown ended",
        ),
    )
    op.create_index(
        "ix_stages_waiting",
        "stages",
        ["stage", "job_id", "id"],
        unique=False,
        postgresql_where=sa.text("state = 'waiting'"),
    )
    # In the database, so that no statement anywhere can move a stage and leave no trace.
    op.execute("""
        CREATE FUNCTION log_stage_move() RETURNS trigger
        LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
        BEGIN
            INSERT INTO public.events (stage_id, job_id, kind, detail)
            VALUES (NEW.id, NEW.job_id, 'stage.' || NEW.state, jsonb_strip_nulls(jsonb_build_object(
                'stage', NEW.stage, 'from', OLD.state, 'attempt', NEW.attempt, 'tries', NEW.tries,
                'owner', coalesce(NEW.owner, OLD.owner), 'error', NEW.error_code)));
            RETURN NEW;
        END $$
    """)
    op.execute("COMMENT ON FUNCTION log_stage_move() IS 'writes every move of a stage into events'")
    op.execute("""
        CREATE TRIGGER log_stage_move AFTER UPDATE OF state ON stages
        FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION log_stage_move()
    """)


def downgrade() -> None:
    """Take back."""
    op.execute("DROP TRIGGER log_stage_move ON stages")
    op.execute("DROP FUNCTION log_stage_move()")
    op.drop_index("ix_stages_waiting", table_name="stages", postgresql_where=sa.text("state = 'waiting'"))
    op.drop_column("stages", "tries")
    for table in ("batches", "groups"):
        op.drop_column(table, "halvings")
    op.drop_column("jobs", "walked_to")
    op.drop_column("jobs", "paused_at")
