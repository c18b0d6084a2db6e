"""retraining: schedules, runs, whom they are measured on, what drifts; a profile's champion outlives its file"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_TABLES = (
    "training_schedules",
    "training_runs",
    "speaker_parts",
    "training_corpora",
    "quality_references",
    "quality_measures",
)


def upgrade() -> None:
    """Apply."""
    op.add_column(
        "profiles",
        sa.Column(
            "written_id",
            sa.BigInteger(),
            nullable=True,
            comment="what its file said when it was last enqueued; while that stays, promotions stand",
        ),
    )
    op.create_foreign_key("fk_profiles_written_id", "profiles", "profile_versions", ["written_id"], ["id"])
    # Until now, whatever a file said when it was enqueued was the champion.
    op.execute("UPDATE profiles SET written_id = champion_id")
    op.create_table(
        "training_schedules",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("profile_id", sa.BigInteger(), nullable=False),
        sa.Column("enabled", sa.Boolean(), server_default="true", nullable=False),
        sa.Column(
            "interval_s", sa.Double(), nullable=True, comment="between two runs; nothing is done without new labels"
        ),
        sa.Column("min_labels", sa.Integer(), nullable=True, comment="so many new labels since the last run"),
        sa.Column("drift_limit", sa.REAL(), nullable=True, comment="population stability index above which it is due"),
        sa.Column(
            "plan",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="method and its options, as `tenor retrain` takes them",
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "interval_s > 0 AND min_labels > 0 AND drift_limit > 0", name=op.f("ck_training_schedules_positive")
        ),
        sa.ForeignKeyConstraint(["profile_id"], ["profiles.id"], name=op.f("fk_training_schedules_profile_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_training_schedules")),
        sa.UniqueConstraint("profile_id", name=op.f("uq_training_schedules_profile_id")),
        comment="when profiles are retrained: after an interval, so many new labels, or drift",
    )
    op.create_table(
        "training_runs",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("schedule_id", sa.BigInteger(), nullable=True, comment="NULL: by hand"),
        sa.Column(
            "due_at", sa.DateTime(timezone=True), nullable=False, comment="two schedulers that find it due make one run"
        ),
        sa.Column("trigger", sa.String(), nullable=False, comment="hand, interval, labels, drift"),
        sa.Column("profile_id", sa.BigInteger(), nullable=False),
        sa.Column("plan", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "state",
            sa.String(),
            server_default="waiting",
            nullable=False,
            comment="waiting (for other runs), ready, running (leased), done (passed the gate), refused, failed, cancelled",
        ),
        sa.Column(
            "stage", sa.String(), server_default="prepare", nullable=False, comment="prepare, train, evaluate, promote"
        ),
        sa.Column("fingerprint", sa.String(), nullable=True, comment="of the frozen data set"),
        sa.Column("labels", sa.Integer(), nullable=True, comment="labelled utterances of the data set"),
        sa.Column(
            "labels_until", sa.DateTime(timezone=True), nullable=True, comment="labels that came later count as new"
        ),
        sa.Column(
            "champion_id", sa.BigInteger(), nullable=True, comment="the version to beat, pinned when the run began"
        ),
        sa.Column(
            "challenger",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="specification of the new version",
        ),
        sa.Column("challenger_id", sa.BigInteger(), nullable=True, comment="once promoted"),
        sa.Column("decision", sa.String(), nullable=True, comment="promoted, passed (to be promoted by hand), refused"),
        sa.Column("reason", sa.String(), nullable=True, comment="the decision in a sentence"),
        sa.Column(
            "numbers", postgresql.JSONB(astext_type=sa.Text()), nullable=True, comment="what the decision rests on"
        ),
        sa.Column(
            "progress",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="what is done at this moment, of how much",
        ),
        sa.Column("folder", sa.String(), nullable=True, comment="manifests, checkpoints, bundles, report.md"),
        sa.Column(
            "attempt", sa.Integer(), server_default="0", nullable=False, comment="the fence: counted at every claim"
        ),
        sa.Column(
            "tries", sa.Integer(), server_default="0", nullable=False, comment="attempts at this stage that count"
        ),
        sa.Column(
            "owner", sa.String(), nullable=True, comment="host/boot/pid/start of the process that holds the lease"
        ),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("root_id", sa.Uuid(), nullable=False, comment="root of the chain in Flower"),
        sa.Column("task_id", sa.Uuid(), nullable=True, comment="last claim"),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ready_at", sa.DateTime(timezone=True), nullable=True, comment="not before"),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True, comment="of this stage's last attempt"),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error_code", sa.String(), nullable=True),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("traceback", sa.String(), nullable=True, comment="of the last failed attempt, without values"),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "(state = 'running') = (owner IS NOT NULL AND lease_until IS NOT NULL) AND (owner IS NULL) = (lease_until IS NULL)",
            name=op.f("ck_training_runs_lease"),
        ),
        sa.CheckConstraint("stage IN ('prepare', 'train', 'evaluate', 'promote')", name=op.f("ck_training_runs_stage")),
        sa.CheckConstraint(
            "state IN ('waiting', 'ready', 'running', 'done', 'refused', 'failed', 'cancelled')",
            name=op.f("ck_training_runs_state"),
        ),
        sa.CheckConstraint("trigger IN ('hand', 'interval', 'labels', 'drift')", name=op.f("ck_training_runs_trigger")),
        sa.ForeignKeyConstraint(
            ["challenger_id"], ["profile_versions.id"], name=op.f("fk_training_runs_challenger_id")
        ),
        sa.ForeignKeyConstraint(["champion_id"], ["profile_versions.id"], name=op.f("fk_training_runs_champion_id")),
        sa.ForeignKeyConstraint(["profile_id"], ["profiles.id"], name=op.f("fk_training_runs_profile_id")),
        sa.ForeignKeyConstraint(["schedule_id"], ["training_schedules.id"], name=op.f("fk_training_runs_schedule_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_training_runs")),
        sa.UniqueConstraint("schedule_id", "due_at", name=op.f("uq_training_runs_schedule_id_due_at")),
        comment="retraining: a row per run, from the reason it was made to the decision about its model",
    )
    op.create_index(
        "ix_training_runs_open",
        "training_runs",
        ["ready_at"],
        unique=False,
        postgresql_where=sa.text("state IN ('waiting', 'ready', 'running')"),
    )
    op.create_index(op.f("ix_training_runs_profile_id"), "training_runs", ["profile_id"], unique=False)
    op.create_table(
        "speaker_parts",
        sa.Column("profile_id", sa.BigInteger(), nullable=False),
        sa.Column("speaker", sa.String(), nullable=False),
        sa.Column("part", sa.String(), nullable=False, comment="train, holdout"),
        sa.Column("decided_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("part IN ('train', 'holdout')", name=op.f("ck_speaker_parts_part")),
        sa.ForeignKeyConstraint(["profile_id"], ["profiles.id"], name=op.f("fk_speaker_parts_profile_id")),
        sa.PrimaryKeyConstraint("profile_id", "speaker", name=op.f("pk_speaker_parts")),
        comment="per profile: speakers to learn from and speakers to test on, for ever",
    )
    op.create_table(
        "training_corpora",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("profile_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("manifest", sa.String(), nullable=False, comment="path of the frozen Parquet file"),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column(
            "role",
            sa.String(),
            nullable=False,
            comment="reference (registered: learned from and measured on), holdout (measured on), learned (trusted labels)",
        ),
        sa.Column("run_id", sa.BigInteger(), nullable=True, comment="NULL: registered"),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("role IN ('reference', 'holdout', 'learned')", name=op.f("ck_training_corpora_role")),
        sa.ForeignKeyConstraint(["profile_id"], ["profiles.id"], name=op.f("fk_training_corpora_profile_id")),
        sa.ForeignKeyConstraint(["run_id"], ["training_runs.id"], name=op.f("fk_training_corpora_run_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_training_corpora")),
        sa.UniqueConstraint("profile_id", "name", name=op.f("uq_training_corpora_profile_id_name")),
        comment="frozen data sets that are trusted; no promotion may do worse on them",
    )
    op.create_table(
        "quality_references",
        sa.Column("profile_version_id", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.String(), nullable=False, comment="training, or first (the first utterances it scored)"),
        sa.Column("utterances", sa.Integer(), nullable=False),
        sa.Column(
            "reference",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="bins and shares, samples for MMD",
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["profile_version_id"], ["profile_versions.id"], name=op.f("fk_quality_references_profile_version_id")
        ),
        sa.PrimaryKeyConstraint("profile_version_id", name=op.f("pk_quality_references")),
        comment="per version: distributions that later ones are compared with",
    )
    op.create_table(
        "quality_measures",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("profile_version_id", sa.BigInteger(), nullable=False),
        sa.Column("measured_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("utterances", sa.Integer(), nullable=False),
        sa.Column("psi", sa.REAL(), nullable=False, comment="largest population stability index of all measures"),
        sa.Column(
            "psi_of", postgresql.JSONB(astext_type=sa.Text()), nullable=False, comment="the index of each measure"
        ),
        sa.Column("mmd", sa.REAL(), nullable=True, comment="squared maximum mean discrepancy of probabilities"),
        sa.Column("mmd_p", sa.REAL(), nullable=True, comment="share of random divisions with a larger one"),
        sa.Column("mmd_voices", sa.REAL(), nullable=True, comment="the same of voice embeddings"),
        sa.Column("mmd_voices_p", sa.REAL(), nullable=True),
        sa.ForeignKeyConstraint(
            ["profile_version_id"], ["profile_versions.id"], name=op.f("fk_quality_measures_profile_version_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quality_measures")),
        comment="drift of recent probabilities, features and voices against the reference",
    )
    op.create_index(
        op.f("ix_quality_measures_profile_version_id_measured_at"),
        "quality_measures",
        ["profile_version_id", "measured_at"],
        unique=False,
    )


def downgrade() -> None:
    """Undo."""
    for table in reversed(_TABLES):
        op.drop_table(table)
    op.drop_constraint("fk_profiles_written_id", "profiles", type_="foreignkey")
    op.drop_column("profiles", "written_id")
