-- One row per stage: what waits, what runs, what is stuck. Two halves, because each has a partial index of its own.
CREATE VIEW stage_backlog AS
SELECT s.stage,
       count(*) FILTER (WHERE s.state = 'waiting') AS waiting,
       count(*) FILTER (WHERE s.state = 'ready') AS ready,
       count(*) FILTER (WHERE s.state = 'running') AS running,
       count(*) FILTER (WHERE s.state = 'dead') AS dead,
       count(*) FILTER (WHERE s.state = 'running' AND s.lease_until < now()) AS expired_leases,
       extract(epoch FROM now() - min(s.ready_at) FILTER (WHERE s.state = 'ready' AND s.ready_at <= now()
                                                            AND j.paused_at IS NULL))::real AS oldest_ready_s,
       coalesce(sum(coalesce(g.seconds, b.seconds)::float8) FILTER (WHERE s.state <> 'dead'), 0) AS audio_s
  FROM (SELECT * FROM stages WHERE state IN ('waiting', 'ready', 'running')
        UNION ALL
        SELECT * FROM stages WHERE state = 'dead') s
  JOIN jobs j ON j.id = s.job_id
  LEFT JOIN groups g ON g.id = s.group_id
  LEFT JOIN batches b ON b.id = s.batch_id
 GROUP BY s.stage;
COMMENT ON VIEW stage_backlog IS 'one row per stage with open or dead work';
COMMENT ON COLUMN stage_backlog.stage IS 'ingest, align, extract, ser, ter or fuse';
COMMENT ON COLUMN stage_backlog.waiting IS 'stages whose predecessor is not done';
COMMENT ON COLUMN stage_backlog.ready IS 'stages that a worker may take';
COMMENT ON COLUMN stage_backlog.running IS 'stages that a worker holds';
COMMENT ON COLUMN stage_backlog.dead IS 'stages given up; tenor retry puts them back';
COMMENT ON COLUMN stage_backlog.expired_leases IS 'running stages whose worker has not renewed its lease';
COMMENT ON COLUMN stage_backlog.oldest_ready_s IS 'how long the oldest ready stage has waited; those of paused jobs do not count';
COMMENT ON COLUMN stage_backlog.audio_s IS 'seconds of audio (align) or of speech (extract to fuse) that are still to be done';
