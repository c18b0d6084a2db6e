-- Which version of each profile new jobs pin.
CREATE VIEW champions AS
SELECT p.name AS profile, v.version, v.fingerprint, v.label_set, v.created_at
  FROM profiles p
  JOIN profile_versions v ON v.id = p.champion_id;
COMMENT ON VIEW champions IS 'one row per profile: the version that new jobs pin';
COMMENT ON COLUMN champions.profile IS 'name of the profile';
COMMENT ON COLUMN champions.version IS 'its number';
COMMENT ON COLUMN champions.fingerprint IS 'hash of what it consists of';
COMMENT ON COLUMN champions.label_set IS 'emotions that it tells apart';
COMMENT ON COLUMN champions.created_at IS 'when the version was first seen';
