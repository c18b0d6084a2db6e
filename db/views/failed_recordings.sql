-- Why recordings have no results, by error; counted from an index of the failed ones alone.
CREATE VIEW failed_recordings AS
SELECT error_code, count(*) AS recordings
  FROM job_recordings
 WHERE state = 'failed'
 GROUP BY error_code;
COMMENT ON VIEW failed_recordings IS 'one row per error: files of all jobs that it left without results';
COMMENT ON COLUMN failed_recordings.error_code IS 'as in the runbook; tenor errors JOB has the sentences';
COMMENT ON COLUMN failed_recordings.recordings IS 'files';
