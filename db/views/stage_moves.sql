-- Every move of a stage: what metrics count. Nothing is joined, so that a range of `move`, a primary key, costs only
-- what is in it.
CREATE VIEW stage_moves AS
SELECT e.id AS move,
       e.at,
       e.job_id,
       e.stage_id,
       e.detail ->> 'stage' AS stage,
       e.detail ->> 'from' AS came_from,
       substr(e.kind, 7) AS state,
       CAST(e.detail ->> 'attempt' AS integer) AS attempt,
       CASE WHEN e.detail ->> 'from' = 'running' AND e.kind <> 'stage.done' THEN e.detail ->> 'error' END AS error_code,
       CASE WHEN e.detail ->> 'from' = 'running' THEN extract(epoch FROM e.at - (
            SELECT r.at FROM events r
             WHERE r.stage_id = e.stage_id AND r.id < e.id AND r.kind = 'stage.running'
             ORDER BY r.id DESC LIMIT 1))::real END AS worked_s,
       CASE WHEN e.detail ->> 'from' = 'running' THEN (
            SELECT coalesce(g.seconds, b.seconds)
              FROM stages s LEFT JOIN groups g ON g.id = s.group_id LEFT JOIN batches b ON b.id = s.batch_id
             WHERE s.id = e.stage_id) END AS audio_s,
       CASE WHEN e.detail ->> 'from' = 'running' THEN (
            SELECT b.utterances FROM stages s JOIN batches b ON b.id = s.batch_id
             WHERE s.id = e.stage_id) END AS utterances
  FROM events e
 WHERE e.kind LIKE 'stage.%';
COMMENT ON VIEW stage_moves IS 'log of what happened to each stage, one row per move';
COMMENT ON COLUMN stage_moves.move IS 'number of the move, ascending';
COMMENT ON COLUMN stage_moves.at IS 'when its transaction began';
COMMENT ON COLUMN stage_moves.job_id IS 'job that the stage was made for';
COMMENT ON COLUMN stage_moves.stage_id IS 'number of the stage, as in logs';
COMMENT ON COLUMN stage_moves.stage IS 'ingest, align, extract, ser, ter or fuse';
COMMENT ON COLUMN stage_moves.came_from IS 'state before';
COMMENT ON COLUMN stage_moves.state IS 'state after: waiting, ready, running, done, dead or cancelled';
COMMENT ON COLUMN stage_moves.attempt IS 'attempts so far';
COMMENT ON COLUMN stage_moves.error_code IS 'why an attempt ended without a result';
COMMENT ON COLUMN stage_moves.worked_s IS 'seconds since a worker took it, where the move ends an attempt';
COMMENT ON COLUMN stage_moves.audio_s IS 'where the move ends an attempt: seconds of audio (align) or of speech (extract to fuse) in its unit';
COMMENT ON COLUMN stage_moves.utterances IS 'where the move ends an attempt at a batch: its utterances';
