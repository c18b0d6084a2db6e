-- One row: how much is open, and for how long. Reads what is open, never what is done.
CREATE VIEW work_in_hand AS
SELECT j.jobs, j.paused_jobs, j.oldest_job_s, b.batches, b.oldest_batch_s, r.runs, r.expired_runs
  FROM (SELECT count(*) AS jobs,
               count(*) FILTER (WHERE paused_at IS NOT NULL) AS paused_jobs,
               extract(epoch FROM now() - min(created_at) FILTER (WHERE paused_at IS NULL))::real AS oldest_job_s
          FROM jobs WHERE state IN ('queued', 'running')) j,
       (SELECT count(*) AS batches, extract(epoch FROM now() - min(opened_at))::real AS oldest_batch_s
          FROM batches WHERE finished_at IS NULL AND opened_at IS NOT NULL) b,
       (SELECT count(*) AS runs, count(*) FILTER (WHERE lease_until < now()) AS expired_runs
          FROM training_runs WHERE state IN ('waiting', 'ready', 'running')) r;
COMMENT ON VIEW work_in_hand IS 'one row: what is open now';
COMMENT ON COLUMN work_in_hand.jobs IS 'jobs that are not finished';
COMMENT ON COLUMN work_in_hand.paused_jobs IS 'those of them that are paused';
COMMENT ON COLUMN work_in_hand.oldest_job_s IS 'how long ago the oldest of the others was enqueued';
COMMENT ON COLUMN work_in_hand.batches IS 'batches between extract and fuse';
COMMENT ON COLUMN work_in_hand.oldest_batch_s IS 'how long ago the oldest of them was begun';
COMMENT ON COLUMN work_in_hand.runs IS 'retraining runs that are not finished';
COMMENT ON COLUMN work_in_hand.expired_runs IS 'those whose worker has not renewed its lease';
