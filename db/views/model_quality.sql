-- How far recent output of each version is from what it was when all was well: one row per measurement.
CREATE VIEW model_quality AS
SELECT p.name AS profile,
       v.version,
       v.id = p.champion_id AS is_champion,
       m.measured_at,
       m.utterances,
       m.psi,
       worst.name AS psi_worst_of,
       m.psi > 0.25 AS drifted,
       m.mmd,
       m.mmd_p,
       m.mmd_voices,
       m.mmd_voices_p,
       q.source AS reference,
       q.created_at AS reference_since,
       m.psi_of
  FROM quality_measures m
  JOIN profile_versions v ON v.id = m.profile_version_id
  JOIN profiles p ON p.id = v.profile_id
  JOIN quality_references q ON q.profile_version_id = v.id
  LEFT JOIN LATERAL (SELECT key AS name FROM jsonb_each_text(m.psi_of) ORDER BY CAST(value AS float) DESC LIMIT 1) worst
       ON true;
COMMENT ON VIEW model_quality IS 'drift: recent probabilities, features and voices of each version against its reference';
COMMENT ON COLUMN model_quality.utterances IS 'recent ones that were compared';
COMMENT ON COLUMN model_quality.psi IS 'largest population stability index; below 0.1 nothing, above 0.25 look';
COMMENT ON COLUMN model_quality.psi_worst_of IS 'the measure that has it: the probability of a class, confidence, seconds';
COMMENT ON COLUMN model_quality.drifted IS 'psi above 0.25';
COMMENT ON COLUMN model_quality.mmd IS 'squared maximum mean discrepancy of probability vectors';
COMMENT ON COLUMN model_quality.mmd_p IS 'share of random divisions of both samples that differ as much';
COMMENT ON COLUMN model_quality.mmd_voices IS 'the same of voice embeddings: other people than then';
COMMENT ON COLUMN model_quality.reference IS 'training (people the version was tested on), or first (the first that it scored)';
COMMENT ON COLUMN model_quality.profile IS 'name of the profile';
COMMENT ON COLUMN model_quality.version IS 'version whose output was measured';
COMMENT ON COLUMN model_quality.is_champion IS 'whether jobs pin it now';
COMMENT ON COLUMN model_quality.measured_at IS 'when it was measured';
COMMENT ON COLUMN model_quality.mmd_voices_p IS 'share of random divisions of both samples of voices that differ as much';
COMMENT ON COLUMN model_quality.reference_since IS 'when the reference was made';
COMMENT ON COLUMN model_quality.psi_of IS 'population stability index of every measure';
