-- One row per job.
CREATE VIEW job_progress AS
SELECT j.id AS job_id,
       a.url AS archive,
       p.name AS profile,
       pv.version,
       CASE WHEN j.paused_at IS NOT NULL AND j.state IN ('queued', 'running') THEN 'paused' ELSE j.state END AS state,
       j.priority,
       j.ingested_at IS NOT NULL AS listed,
       c.files,
       c.done,
       c.failed,
       c.cancelled,
       c.open,
       c.reused,
       c.warnings,
       c.audio_s,
       c.audio_done_s,
       c.utterances,
       j.created_at,
       j.finished_at,
       extract(epoch FROM coalesce(j.finished_at, now()) - j.created_at)::real AS elapsed_s,
       j.error_code,
       j.error
  FROM jobs j
  JOIN archives a ON a.id = j.archive_id
  JOIN profile_versions pv ON pv.id = j.profile_version_id
  JOIN profiles p ON p.id = pv.profile_id
 CROSS JOIN LATERAL (
        SELECT count(*) AS files,
               count(*) FILTER (WHERE jr.state = 'done') AS done,
               count(*) FILTER (WHERE jr.state = 'failed') AS failed,
               count(*) FILTER (WHERE jr.state = 'cancelled') AS cancelled,
               count(*) FILTER (WHERE jr.state IN ('aligning', 'scoring')) AS open,
               count(*) FILTER (WHERE jr.reused) AS reused,
               count(*) FILTER (WHERE jr.state = 'done' AND jr.error_code IS NOT NULL) AS warnings,
               coalesce(sum(r.duration_s::float8) FILTER (WHERE jr.state <> 'failed'), 0) AS audio_s,
               coalesce(sum(r.duration_s::float8) FILTER (WHERE jr.state = 'done'), 0) AS audio_done_s,
               coalesce(sum(rs.utterances) FILTER (WHERE jr.state = 'done'), 0) AS utterances
          FROM job_recordings jr
          LEFT JOIN recordings r ON r.id = jr.recording_id
          LEFT JOIN recording_scores rs
                 ON rs.alignment_id = jr.alignment_id AND rs.profile_version_id = jr.profile_version_id
         WHERE jr.job_id = j.id
       ) c;
COMMENT ON VIEW job_progress IS 'one row per job: how far it is';
COMMENT ON COLUMN job_progress.job_id IS 'number of the job';
COMMENT ON COLUMN job_progress.archive IS 'folder or URL of the archive';
COMMENT ON COLUMN job_progress.profile IS 'name of the profile';
COMMENT ON COLUMN job_progress.version IS 'version the job pinned when it was enqueued';
COMMENT ON COLUMN job_progress.state IS 'queued, running, paused, done, failed (the archive could not be read) or cancelled';
COMMENT ON COLUMN job_progress.priority IS 'higher goes first';
COMMENT ON COLUMN job_progress.listed IS 'true when the whole archive has been walked';
COMMENT ON COLUMN job_progress.files IS 'files found so far';
COMMENT ON COLUMN job_progress.done IS 'files with results';
COMMENT ON COLUMN job_progress.failed IS 'files without results, see the error of each';
COMMENT ON COLUMN job_progress.cancelled IS 'files given up by cancelling';
COMMENT ON COLUMN job_progress.open IS 'files still to be done';
COMMENT ON COLUMN job_progress.reused IS 'files whose results an earlier job had';
COMMENT ON COLUMN job_progress.warnings IS 'files analysed without their transcript, see the error of each';
COMMENT ON COLUMN job_progress.audio_s IS 'seconds of audio in readable files';
COMMENT ON COLUMN job_progress.audio_done_s IS 'seconds of audio with results';
COMMENT ON COLUMN job_progress.utterances IS 'utterances with results';
COMMENT ON COLUMN job_progress.created_at IS 'when it was enqueued';
COMMENT ON COLUMN job_progress.finished_at IS 'when nothing was left to do';
COMMENT ON COLUMN job_progress.elapsed_s IS 'seconds from enqueueing to the end, or to now';
COMMENT ON COLUMN job_progress.error_code IS 'why the archive could not be read';
COMMENT ON COLUMN job_progress.error IS 'the same as a sentence';
