-- One row per retraining run: where it is, what was decided and why.
CREATE VIEW retraining AS
SELECT r.id AS run,
       p.name AS profile,
       r.trigger,
       r.due_at,
       r.state,
       r.stage,
       r.plan ->> 'method' AS method,
       r.labels,
       r.progress ->> 'doing' AS doing,
       round(100 * CAST(r.progress ->> 'done' AS numeric) / nullif(CAST(r.progress ->> 'of' AS numeric), 0)) AS percent,
       CAST(r.progress ->> 'eta_s' AS float) AS eta_s,
       champion.version AS champion,
       challenger.version AS challenger,
       CAST(r.numbers #>> '{judgement,new,champion}' AS float) AS champion_balanced_accuracy,
       CAST(r.numbers #>> '{judgement,new,challenger}' AS float) AS challenger_balanced_accuracy,
       CAST(r.numbers #>> '{judgement,new,low}' AS float) AS difference_low,
       CAST(r.numbers #>> '{judgement,new,high}' AS float) AS difference_high,
       r.decision,
       r.reason,
       r.folder,
       r.created_at,
       r.finished_at,
       r.error
  FROM training_runs r
  JOIN profiles p ON p.id = r.profile_id
  LEFT JOIN profile_versions champion ON champion.id = r.champion_id
  LEFT JOIN profile_versions challenger ON challenger.id = r.challenger_id;
COMMENT ON VIEW retraining IS 'retraining: one row per run, with its progress, decision and reason';
COMMENT ON COLUMN retraining.trigger IS 'hand, interval, labels, drift';
COMMENT ON COLUMN retraining.state IS 'waiting, ready, running, done (passed the gate), refused, failed, cancelled';
COMMENT ON COLUMN retraining.stage IS 'prepare, train, evaluate, promote';
COMMENT ON COLUMN retraining.labels IS 'labelled utterances of its data set';
COMMENT ON COLUMN retraining.percent IS 'of what it is doing at this moment';
COMMENT ON COLUMN retraining.eta_s IS 'seconds that training will take yet';
COMMENT ON COLUMN retraining.champion IS 'version to beat';
COMMENT ON COLUMN retraining.challenger IS 'version that it became; NULL unless promoted';
COMMENT ON COLUMN retraining.champion_balanced_accuracy IS 'on people that neither learned from';
COMMENT ON COLUMN retraining.difference_low IS '95 % interval of challenger minus champion, by paired bootstrap over speakers';
COMMENT ON COLUMN retraining.decision IS 'promoted, passed (to be promoted by hand), refused';
COMMENT ON COLUMN retraining.folder IS 'its manifests, checkpoints, bundle and report.md';
COMMENT ON COLUMN retraining.run IS 'number of the run';
COMMENT ON COLUMN retraining.profile IS 'profile that is retrained';
COMMENT ON COLUMN retraining.due_at IS 'when it was due';
COMMENT ON COLUMN retraining.method IS 'how the champion is adapted';
COMMENT ON COLUMN retraining.doing IS 'what it is doing at this moment';
COMMENT ON COLUMN retraining.challenger_balanced_accuracy IS 'of the new version, on the same people';
COMMENT ON COLUMN retraining.difference_high IS 'upper end of that interval';
COMMENT ON COLUMN retraining.reason IS 'the decision in a sentence';
COMMENT ON COLUMN retraining.created_at IS 'when it was inserted';
COMMENT ON COLUMN retraining.finished_at IS 'when it ended; NULL: it has not';
COMMENT ON COLUMN retraining.error IS 'what ended its last attempt, NULL when nothing did';
