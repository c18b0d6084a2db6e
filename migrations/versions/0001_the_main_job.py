"""the main job"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "archives",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("url", sa.String(), nullable=False, comment="absolute folder or fsspec URL"),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_archives")),
        sa.UniqueConstraint("url", name=op.f("uq_archives_url")),
        comment="folders of recordings, by URL",
    )
    op.create_table(
        "events",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("stage_id", sa.BigInteger(), nullable=True),
        sa.Column("job_id", sa.BigInteger(), nullable=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("detail", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
        comment="log of transitions",
    )
    op.create_index(op.f("ix_events_job_id"), "events", ["job_id"], unique=False)
    op.create_index(op.f("ix_events_stage_id"), "events", ["stage_id"], unique=False)
    op.create_table(
        "models",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("location", sa.String(), nullable=False),
        sa.Column("licence", sa.String(), nullable=False),
        sa.Column("meta", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_models")),
        sa.UniqueConstraint("sha256", name=op.f("uq_models_sha256")),
        comment="bundles seen, by the hash of their weights",
    )
    op.create_table(
        "profiles",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("champion_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_profiles")),
        sa.UniqueConstraint("name", name=op.f("uq_profiles_name")),
        comment="ways of analysing, by name",
    )
    op.create_table(
        "recordings",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False, comment="hash of the file's bytes"),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("duration_s", sa.REAL(), nullable=True),
        sa.Column("sample_rate", sa.Integer(), nullable=True),
        sa.Column("channels", sa.Integer(), nullable=True),
        sa.Column("codec", sa.String(), nullable=True),
        sa.Column("error_code", sa.String(), nullable=True, comment="why it cannot be read at all"),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recordings")),
        sa.UniqueConstraint("sha256", name=op.f("uq_recordings_sha256")),
        comment="one row per audio content",
    )
    op.create_table(
        "scores",
        sa.Column("profile_version_id", sa.BigInteger(), nullable=False),
        sa.Column("alignment_id", sa.BigInteger(), nullable=False),
        sa.Column("utterance_no", sa.Integer(), nullable=False),
        sa.Column("batch_id", sa.BigInteger(), nullable=False),
        sa.Column("speech_angry", sa.REAL(), nullable=True),
        sa.Column("speech_happy", sa.REAL(), nullable=True),
        sa.Column("speech_neutral", sa.REAL(), nullable=True),
        sa.Column("speech_sad", sa.REAL(), nullable=True),
        sa.Column("speech_fear", sa.REAL(), nullable=True),
        sa.Column("speech_disgust", sa.REAL(), nullable=True),
        sa.Column("speech_surprise", sa.REAL(), nullable=True),
        sa.Column("text_angry", sa.REAL(), nullable=True),
        sa.Column("text_happy", sa.REAL(), nullable=True),
        sa.Column("text_neutral", sa.REAL(), nullable=True),
        sa.Column("text_sad", sa.REAL(), nullable=True),
        sa.Column("text_fear", sa.REAL(), nullable=True),
        sa.Column("text_disgust", sa.REAL(), nullable=True),
        sa.Column("text_surprise", sa.REAL(), nullable=True),
        sa.Column("fused_angry", sa.REAL(), nullable=True),
        sa.Column("fused_happy", sa.REAL(), nullable=True),
        sa.Column("fused_neutral", sa.REAL(), nullable=True),
        sa.Column("fused_sad", sa.REAL(), nullable=True),
        sa.Column("fused_fear", sa.REAL(), nullable=True),
        sa.Column("fused_disgust", sa.REAL(), nullable=True),
        sa.Column("fused_surprise", sa.REAL(), nullable=True),
        sa.Column("arousal", sa.REAL(), nullable=True, comment="1 (calm) to 5 (excited)"),
        sa.Column("valence", sa.REAL(), nullable=True, comment="1 (negative) to 5 (positive)"),
        sa.Column("affect_source", sa.Text(), nullable=True),
        sa.Column("label", sa.Text(), nullable=True, comment="emotion with the highest fused probability"),
        sa.Column("confidence", sa.REAL(), nullable=True, comment="that probability"),
        sa.Column("quality", sa.Text(), nullable=True, comment="what is missing and why, NULL when nothing"),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "(fused_angry IS NULL OR fused_angry BETWEEN 0 AND 1) AND (fused_happy IS NULL OR fused_happy BETWEEN 0 AND 1) AND (fused_neutral IS NULL OR fused_neutral BETWEEN 0 AND 1) AND (fused_sad IS NULL OR fused_sad BETWEEN 0 AND 1) AND (fused_fear IS NULL OR fused_fear BETWEEN 0 AND 1) AND (fused_disgust IS NULL OR fused_disgust BETWEEN 0 AND 1) AND (fused_surprise IS NULL OR fused_surprise BETWEEN 0 AND 1)",
            name=op.f("ck_scores_fused_range"),
        ),
        sa.CheckConstraint(
            "(speech_angry IS NULL OR speech_angry BETWEEN 0 AND 1) AND (speech_happy IS NULL OR speech_happy BETWEEN 0 AND 1) AND (speech_neutral IS NULL OR speech_neutral BETWEEN 0 AND 1) AND (speech_sad IS NULL OR speech_sad BETWEEN 0 AND 1) AND (speech_fear IS NULL OR speech_fear BETWEEN 0 AND 1) AND (speech_disgust IS NULL OR speech_disgust BETWEEN 0 AND 1) AND (speech_surprise IS NULL OR speech_surprise BETWEEN 0 AND 1)",
            name=op.f("ck_scores_speech_range"),
        ),
        sa.CheckConstraint(
            "(text_angry IS NULL OR text_angry BETWEEN 0 AND 1) AND (text_happy IS NULL OR text_happy BETWEEN 0 AND 1) AND (text_neutral IS NULL OR text_neutral BETWEEN 0 AND 1) AND (text_sad IS NULL OR text_sad BETWEEN 0 AND 1) AND (text_fear IS NULL OR text_fear BETWEEN 0 AND 1) AND (text_disgust IS NULL OR text_disgust BETWEEN 0 AND 1) AND (text_surprise IS NULL OR text_surprise BETWEEN 0 AND 1)",
            name=op.f("ck_scores_text_range"),
        ),
        sa.PrimaryKeyConstraint("profile_version_id", "alignment_id", "utterance_no", name=op.f("pk_scores")),
        comment="probabilities per utterance and profile version",
        postgresql_partition_by="LIST (profile_version_id)",
    )
    op.create_index(op.f("ix_scores_batch_id"), "scores", ["batch_id"], unique=False)
    op.create_table(
        "archive_files",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("archive_id", sa.BigInteger(), nullable=False),
        sa.Column("path", sa.String(), nullable=False, comment="relative to the archive, with /"),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("mtime_ns", sa.BigInteger(), nullable=False, comment="unchanged path, size and time skip the hash"),
        sa.Column("recording_id", sa.BigInteger(), nullable=True),
        sa.Column("transcript_path", sa.String(), nullable=True),
        sa.Column(
            "transcript_sha256",
            sa.String(),
            server_default="",
            nullable=False,
            comment="'' without a transcript",
        ),
        sa.Column("metadata", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error_code", sa.String(), nullable=True, comment="why this file could not be opened"),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("seen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["archive_id"], ["archives.id"], name=op.f("fk_archive_files_archive_id")),
        sa.ForeignKeyConstraint(["recording_id"], ["recordings.id"], name=op.f("fk_archive_files_recording_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_archive_files")),
        sa.UniqueConstraint("archive_id", "path", name=op.f("uq_archive_files_archive_id_path")),
        comment="paths in archives and what they held when last seen",
    )
    op.create_index(op.f("ix_archive_files_path"), "archive_files", ["path"], unique=False)
    op.create_index(op.f("ix_archive_files_recording_id"), "archive_files", ["recording_id"], unique=False)
    op.create_table(
        "profile_versions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("profile_id", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False, comment="hash of spec"),
        sa.Column("spec", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("label_set", postgresql.ARRAY(sa.TEXT()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["profile_id"], ["profiles.id"], name=op.f("fk_profile_versions_profile_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_profile_versions")),
        sa.UniqueConstraint("profile_id", "fingerprint", name=op.f("uq_profile_versions_profile_id_fingerprint")),
        sa.UniqueConstraint("profile_id", "version", name=op.f("uq_profile_versions_profile_id_version")),
        comment="immutable: a change of anything is a new version",
    )
    op.create_table(
        "speakers",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("recording_id", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["recording_id"], ["recordings.id"], name=op.f("fk_speakers_recording_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_speakers")),
        sa.UniqueConstraint(
            "name",
            "recording_id",
            name=op.f("uq_speakers_name_recording_id"),
            postgresql_nulls_not_distinct=True,
        ),
        comment="recording_id NULL: a named identity; else an unnamed voice of that recording",
    )
    op.create_table(
        "alignments",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("recording_id", sa.BigInteger(), nullable=False),
        sa.Column("transcript_sha256", sa.String(), server_default="", nullable=False),
        sa.Column("options_hash", sa.String(), nullable=False),
        sa.Column("options", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("source_file_id", sa.BigInteger(), nullable=False, comment="where to read it from"),
        sa.Column(
            "state",
            sa.String(),
            server_default="pending",
            nullable=False,
            comment="pending, done (its utterances are stored), failed (see error)",
        ),
        sa.Column("aligner", sa.String(), nullable=True),
        sa.Column("language", sa.String(), nullable=True),
        sa.Column("duration_s", sa.REAL(), nullable=True),
        sa.Column("quality", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("error_code", sa.String(), nullable=True),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('pending', 'done', 'failed')", name=op.f("ck_alignments_state")),
        sa.ForeignKeyConstraint(["recording_id"], ["recordings.id"], name=op.f("fk_alignments_recording_id")),
        sa.ForeignKeyConstraint(["source_file_id"], ["archive_files.id"], name=op.f("fk_alignments_source_file_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alignments")),
        sa.UniqueConstraint(
            "recording_id",
            "transcript_sha256",
            "options_hash",
            name=op.f("uq_alignments_recording_id_transcript_sha256_options_hash"),
        ),
        comment="utterances found in a recording; reused by every later job with the same options",
    )
    op.create_table(
        "jobs",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("archive_id", sa.BigInteger(), nullable=False),
        sa.Column("profile_version_id", sa.BigInteger(), nullable=False),
        sa.Column("options", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "state",
            sa.String(),
            server_default="queued",
            nullable=False,
            comment="queued, running, done (nothing open), failed (archive unreadable, see error), cancelled",
        ),
        sa.Column("priority", sa.Integer(), server_default="0", nullable=False, comment="higher goes first"),
        sa.Column("root_id", sa.Uuid(), nullable=False, comment="root of all its Celery messages"),
        sa.Column("files_seen", sa.Integer(), server_default="0", nullable=False),
        sa.Column("error_code", sa.String(), nullable=True),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column(
            "ingested_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when the whole archive had been walked",
        ),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('queued', 'running', 'done', 'failed', 'cancelled')", name=op.f("ck_jobs_state")),
        sa.ForeignKeyConstraint(["archive_id"], ["archives.id"], name=op.f("fk_jobs_archive_id")),
        sa.ForeignKeyConstraint(
            ["profile_version_id"], ["profile_versions.id"], name=op.f("fk_jobs_profile_version_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
        comment="requests; failed: the archive itself could not be read",
    )
    op.create_index(op.f("ix_jobs_archive_id"), "jobs", ["archive_id"], unique=False)
    op.create_table(
        "alignment_speakers",
        sa.Column("alignment_id", sa.BigInteger(), nullable=False),
        sa.Column("speaker_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.Integer(), nullable=True),
        sa.Column("embedding", postgresql.ARRAY(sa.REAL()), nullable=False),
        sa.ForeignKeyConstraint(
            ["alignment_id"],
            ["alignments.id"],
            name=op.f("fk_alignment_speakers_alignment_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["speaker_id"], ["speakers.id"], name=op.f("fk_alignment_speakers_speaker_id")),
        sa.PrimaryKeyConstraint("alignment_id", "speaker_id", name=op.f("pk_alignment_speakers")),
        comment="voice embeddings (256 numbers) of an alignment's speakers",
    )
    op.create_table(
        "batches",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("job_id", sa.BigInteger(), nullable=False),
        sa.Column("profile_version_id", sa.BigInteger(), nullable=False),
        sa.Column("utterances", sa.Integer(), nullable=False),
        sa.Column("seconds", sa.REAL(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=True, comment="admitted by the dispatcher"),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_batches_job_id")),
        sa.ForeignKeyConstraint(
            ["profile_version_id"], ["profile_versions.id"], name=op.f("fk_batches_profile_version_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batches")),
        comment="units of the gpu queue, bounded by seconds of speech",
    )
    op.create_index(op.f("ix_batches_job_id"), "batches", ["job_id"], unique=False)
    op.create_index(
        "ix_batches_open",
        "batches",
        ["opened_at"],
        unique=False,
        postgresql_where=sa.text("finished_at IS NULL"),
    )
    op.create_table(
        "groups",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("job_id", sa.BigInteger(), nullable=False),
        sa.Column("seconds", sa.REAL(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_groups_job_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_groups")),
        comment="units of align: short recordings together, a long one alone",
    )
    op.create_index(op.f("ix_groups_job_id"), "groups", ["job_id"], unique=False)
    op.create_table(
        "job_recordings",
        sa.Column("job_id", sa.BigInteger(), nullable=False),
        sa.Column("file_id", sa.BigInteger(), nullable=False),
        sa.Column("recording_id", sa.BigInteger(), nullable=True),
        sa.Column("alignment_id", sa.BigInteger(), nullable=True),
        sa.Column(
            "profile_version_id",
            sa.BigInteger(),
            nullable=True,
            comment="may be older than the job's own when results were reused",
        ),
        sa.Column(
            "state",
            sa.String(),
            nullable=False,
            comment="aligning, scoring, done, failed (see error), cancelled",
        ),
        sa.Column(
            "reused",
            sa.Boolean(),
            server_default="false",
            nullable=False,
            comment="true when an earlier job had the results",
        ),
        sa.Column("error_code", sa.String(), nullable=True),
        sa.Column("error", sa.String(), nullable=True),
        sa.CheckConstraint(
            "state IN ('aligning', 'scoring', 'done', 'failed', 'cancelled')",
            name=op.f("ck_job_recordings_state"),
        ),
        sa.ForeignKeyConstraint(["alignment_id"], ["alignments.id"], name=op.f("fk_job_recordings_alignment_id")),
        sa.ForeignKeyConstraint(["file_id"], ["archive_files.id"], name=op.f("fk_job_recordings_file_id")),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_job_recordings_job_id")),
        sa.ForeignKeyConstraint(
            ["profile_version_id"], ["profile_versions.id"], name=op.f("fk_job_recordings_profile_version_id")
        ),
        sa.ForeignKeyConstraint(["recording_id"], ["recordings.id"], name=op.f("fk_job_recordings_recording_id")),
        sa.PrimaryKeyConstraint("job_id", "file_id", name=op.f("pk_job_recordings")),
        comment="files of a job; done with an error_code is a warning (analysed, but without its transcript)",
    )
    op.create_index(
        op.f("ix_job_recordings_alignment_id_profile_version_id"),
        "job_recordings",
        ["alignment_id", "profile_version_id"],
        unique=False,
    )
    op.create_index(
        "ix_job_recordings_open",
        "job_recordings",
        ["job_id"],
        unique=False,
        postgresql_where=sa.text("state IN ('aligning', 'scoring')"),
    )
    op.create_table(
        "recording_scores",
        sa.Column("alignment_id", sa.BigInteger(), nullable=False),
        sa.Column("profile_version_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "state",
            sa.String(),
            server_default="pending",
            nullable=False,
            comment="pending, done (every utterance is scored), failed",
        ),
        sa.Column("utterances", sa.Integer(), nullable=True),
        sa.Column("speech_s", sa.REAL(), nullable=True),
        sa.Column("mean_angry", sa.REAL(), nullable=True),
        sa.Column("mean_happy", sa.REAL(), nullable=True),
        sa.Column("mean_neutral", sa.REAL(), nullable=True),
        sa.Column("mean_sad", sa.REAL(), nullable=True),
        sa.Column("mean_fear", sa.REAL(), nullable=True),
        sa.Column("mean_disgust", sa.REAL(), nullable=True),
        sa.Column("mean_surprise", sa.REAL(), nullable=True),
        sa.Column("label", sa.String(), nullable=True, comment="emotion with the highest mean"),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('pending', 'done', 'failed')", name=op.f("ck_recording_scores_state")),
        sa.ForeignKeyConstraint(
            ["alignment_id"],
            ["alignments.id"],
            name=op.f("fk_recording_scores_alignment_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["profile_version_id"],
            ["profile_versions.id"],
            name=op.f("fk_recording_scores_profile_version_id"),
        ),
        sa.PrimaryKeyConstraint("alignment_id", "profile_version_id", name=op.f("pk_recording_scores")),
        comment="per recording: means of fused probabilities weighted by seconds of speech",
    )
    op.create_index(
        op.f("ix_recording_scores_profile_version_id"),
        "recording_scores",
        ["profile_version_id"],
        unique=False,
    )
    op.create_table(
        "utterances",
        sa.Column("alignment_id", sa.BigInteger(), nullable=False),
        sa.Column("utterance_no", sa.Integer(), nullable=False),
        sa.Column("speaker_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.Integer(), nullable=True),
        sa.Column("start_s", sa.REAL(), nullable=False),
        sa.Column("end_s", sa.REAL(), nullable=False),
        sa.Column("text", sa.String(), nullable=True),
        sa.Column("language", sa.String(), nullable=True),
        sa.Column("words", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("phones", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("quality", sa.String(), nullable=True, comment="what is missing and why, NULL when nothing"),
        sa.CheckConstraint("end_s > start_s", name=op.f("ck_utterances_has_duration")),
        sa.ForeignKeyConstraint(
            ["alignment_id"], ["alignments.id"], name=op.f("fk_utterances_alignment_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["speaker_id"], ["speakers.id"], name=op.f("fk_utterances_speaker_id")),
        sa.PrimaryKeyConstraint("alignment_id", "utterance_no", name=op.f("pk_utterances")),
        comment="words = [[text, start_s, end_s, confidence], ...], phones = [[label, start_s, end_s], ...]",
    )
    op.create_table(
        "batch_members",
        sa.Column("batch_id", sa.BigInteger(), nullable=False),
        sa.Column("alignment_id", sa.BigInteger(), nullable=False),
        sa.Column("first_no", sa.Integer(), nullable=False),
        sa.Column("last_no", sa.Integer(), nullable=False),
        sa.Column("profile_version_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["alignment_id"], ["alignments.id"], name=op.f("fk_batch_members_alignment_id")),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["batches.id"], name=op.f("fk_batch_members_batch_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("batch_id", "alignment_id", "first_no", name=op.f("pk_batch_members")),
        sa.UniqueConstraint(
            "alignment_id",
            "profile_version_id",
            "first_no",
            name=op.f("uq_batch_members_alignment_id_profile_version_id_first_no"),
        ),
        comment="every utterance is in at most one batch per profile version",
    )
    op.create_table(
        "group_members",
        sa.Column("group_id", sa.BigInteger(), nullable=False),
        sa.Column("alignment_id", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["alignment_id"], ["alignments.id"], name=op.f("fk_group_members_alignment_id")),
        sa.ForeignKeyConstraint(
            ["group_id"], ["groups.id"], name=op.f("fk_group_members_group_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("group_id", "alignment_id", name=op.f("pk_group_members")),
        comment="alignments that a group is to make",
    )
    op.create_index(op.f("ix_group_members_alignment_id"), "group_members", ["alignment_id"], unique=False)
    op.create_table(
        "stages",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column(
            "stage",
            sa.String(),
            nullable=False,
            comment="ingest (a job), align (a group), extract, ser, ter, fuse (a batch)",
        ),
        sa.Column("job_id", sa.BigInteger(), nullable=False),
        sa.Column("group_id", sa.BigInteger(), nullable=True),
        sa.Column("batch_id", sa.BigInteger(), nullable=True),
        sa.Column(
            "state",
            sa.String(),
            nullable=False,
            comment="waiting (for the stage before), ready, running (leased), done, dead (given up), cancelled",
        ),
        sa.Column(
            "attempt",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="the fence: counted at every claim",
        ),
        sa.Column(
            "owner",
            sa.String(),
            nullable=True,
            comment="host/boot/pid/start of the process that holds the lease",
        ),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("root_id", sa.Uuid(), nullable=False, comment="root of the chain in Flower"),
        sa.Column("parent_id", sa.Uuid(), nullable=True, comment="task that made it ready"),
        sa.Column("task_id", sa.Uuid(), nullable=True, comment="last message or claim"),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ready_at", sa.DateTime(timezone=True), nullable=True, comment="not before"),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error_code", sa.String(), nullable=True),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("traceback", sa.String(), nullable=True, comment="of the last failed attempt, without values"),
        sa.Column("artifact_url", sa.String(), nullable=True),
        sa.Column("artifact_sha256", sa.String(), nullable=True),
        sa.Column("artifact_bytes", sa.BigInteger(), nullable=True),
        sa.Column("summary", sa.String(), nullable=True, comment="one line, also shown in Flower"),
        sa.CheckConstraint(
            "(state = 'running') = (owner IS NOT NULL AND lease_until IS NOT NULL) AND (owner IS NULL) = (lease_until IS NULL)",
            name=op.f("ck_stages_lease"),
        ),
        sa.CheckConstraint(
            "CASE WHEN stage = 'ingest' THEN group_id IS NULL AND batch_id IS NULL WHEN stage = 'align' THEN group_id IS NOT NULL AND batch_id IS NULL ELSE group_id IS NULL AND batch_id IS NOT NULL END",
            name=op.f("ck_stages_unit"),
        ),
        sa.CheckConstraint(
            "stage IN ('ingest', 'align', 'extract', 'ser', 'ter', 'fuse')", name=op.f("ck_stages_stage")
        ),
        sa.CheckConstraint(
            "state IN ('waiting', 'ready', 'running', 'done', 'dead', 'cancelled')",
            name=op.f("ck_stages_state"),
        ),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_stages_batch_id")),
        sa.ForeignKeyConstraint(["group_id"], ["groups.id"], name=op.f("fk_stages_group_id")),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_stages_job_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stages")),
        sa.UniqueConstraint("batch_id", "stage", name=op.f("uq_stages_batch_id_stage")),
        sa.UniqueConstraint("group_id", "stage", name=op.f("uq_stages_group_id_stage")),
        comment="work and its state: waiting, ready, running (with a lease), done, dead, cancelled",
    )
    op.create_index("ix_stages_dead", "stages", ["job_id"], unique=False, postgresql_where=sa.text("state = 'dead'"))
    op.create_index(
        "ix_stages_lease",
        "stages",
        ["lease_until"],
        unique=False,
        postgresql_where=sa.text("state = 'running'"),
    )
    op.create_index(
        "ix_stages_open",
        "stages",
        ["job_id"],
        unique=False,
        postgresql_where=sa.text("state IN ('waiting', 'ready', 'running')"),
    )
    op.create_index(
        "ix_stages_ready", "stages", ["ready_at"], unique=False, postgresql_where=sa.text("state = 'ready'")
    )
    op.create_index("uq_stages_ingest", "stages", ["job_id"], unique=True, postgresql_where=sa.text("stage = 'ingest'"))

    op.create_foreign_key("fk_profiles_champion_id", "profiles", "profile_versions", ["champion_id"], ["id"])
    # Workers have no DDL, so this runs with its owner's rights. ATTACH lets others read and write meanwhile; CREATE TABLE
    # PARTITION OF would wait for every reader of scores, and everybody else behind it.
    op.execute("""
        CREATE FUNCTION add_profile_version_partition(version_id bigint) RETURNS void
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
        DECLARE
            partition text := format('scores_v%s', version_id);
        BEGIN
            IF NOT EXISTS (SELECT FROM public.profile_versions WHERE id = version_id) THEN
                RAISE foreign_key_violation USING MESSAGE = format('there is no profile version %s', version_id);
            END IF;
            -- Two workers may meet a new version at once.
            PERFORM pg_advisory_xact_lock(hashtextextended('scores partition', version_id));
            IF to_regclass('public.' || partition) IS NULL THEN
                EXECUTE format('CREATE TABLE public.%I (LIKE public.scores INCLUDING ALL EXCLUDING INDEXES)', partition);
                EXECUTE format('ALTER TABLE public.scores ATTACH PARTITION public.%I FOR VALUES IN (%s)',
                               partition, version_id);
                EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON public.%I TO tenor_writer', partition);
            END IF;
        END $$
    """)
    op.execute(
        "COMMENT ON FUNCTION add_profile_version_partition(bigint) IS 'makes the part of scores that a profile version writes to'"
    )
    # The moves of db.states.TRANSITIONS.
    op.execute("""
        CREATE FUNCTION check_stage_move() RETURNS trigger
        LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
        BEGIN
            IF NOT (CASE OLD.state
                   WHEN 'waiting' THEN NEW.state IN ('ready', 'cancelled')
                   WHEN 'ready' THEN NEW.state IN ('running', 'waiting', 'cancelled')
                   WHEN 'running' THEN NEW.state IN ('done', 'ready', 'dead', 'waiting', 'cancelled')
                   ELSE NEW.state IN ('ready', 'waiting') END) THEN
                RAISE check_violation
                   USING MESSAGE = format('stage %s cannot go from %s to %s', OLD.id, OLD.state, NEW.state);
            END IF;
            RETURN NEW;
        END $$
    """)
    op.execute("COMMENT ON FUNCTION check_stage_move() IS 'refuses what the state machine of stages does not know'")
    op.execute("""
        CREATE TRIGGER check_stage_move BEFORE UPDATE OF state ON stages
        FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION check_stage_move()
    """)


def downgrade() -> None:
    """Take back."""
    op.drop_constraint("fk_profiles_champion_id", "profiles", type_="foreignkey")
    op.execute("DROP FUNCTION add_profile_version_partition(bigint)")
    op.drop_index("uq_stages_ingest", table_name="stages", postgresql_where=sa.text("stage = 'ingest'"))
    op.drop_index("ix_stages_ready", table_name="stages", postgresql_where=sa.text("state = 'ready'"))
    op.drop_index(
        "ix_stages_open",
        table_name="stages",
        postgresql_where=sa.text("state IN ('waiting', 'ready', 'running')"),
    )
    op.drop_index("ix_stages_lease", table_name="stages", postgresql_where=sa.text("state = 'running'"))
    op.drop_index("ix_stages_dead", table_name="stages", postgresql_where=sa.text("state = 'dead'"))
    op.drop_table("stages")
    op.execute("DROP FUNCTION check_stage_move()")
    op.drop_index(op.f("ix_group_members_alignment_id"), table_name="group_members")
    op.drop_table("group_members")
    op.drop_table("batch_members")
    op.drop_table("utterances")
    op.drop_index(op.f("ix_recording_scores_profile_version_id"), table_name="recording_scores")
    op.drop_table("recording_scores")
    op.drop_index(
        "ix_job_recordings_open",
        table_name="job_recordings",
        postgresql_where=sa.text("state IN ('aligning', 'scoring')"),
    )
    op.drop_index(op.f("ix_job_recordings_alignment_id_profile_version_id"), table_name="job_recordings")
    op.drop_table("job_recordings")
    op.drop_index(op.f("ix_groups_job_id"), table_name="groups")
    op.drop_table("groups")
    op.drop_index("ix_batches_open", table_name="batches", postgresql_where=sa.text("finished_at IS NULL"))
    op.drop_index(op.f("ix_batches_job_id"), table_name="batches")
    op.drop_table("batches")
    op.drop_table("alignment_speakers")
    op.drop_index(op.f("ix_jobs_archive_id"), table_name="jobs")
    op.drop_table("jobs")
    op.drop_table("alignments")
    op.drop_table("speakers")
    op.drop_table("profile_versions")
    op.drop_index(op.f("ix_archive_files_recording_id"), table_name="archive_files")
    op.drop_index(op.f("ix_archive_files_path"), table_name="archive_files")
    op.drop_table("archive_files")
    op.drop_index(op.f("ix_scores_batch_id"), table_name="scores")
    op.drop_table("scores")
    op.drop_table("recordings")
    op.drop_table("profiles")
    op.drop_table("models")
    op.drop_index(op.f("ix_events_stage_id"), table_name="events")
    op.drop_index(op.f("ix_events_job_id"), table_name="events")
    op.drop_table("events")
    op.drop_table("archives")
