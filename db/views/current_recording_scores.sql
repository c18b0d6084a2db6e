-- Which alignment and version a file shows per profile: of those that scored the whole recording, the alignment with the
-- file's present content, transcript and options (else the newest with other options: the present one may not be scored
-- yet), and of it the champion, else the newest version. Not public.
-- All conditions of NOT EXISTS stand in its WHERE: only so can Postgres make it an anti join that filters reach through.
CREATE VIEW current_recording_scores AS
SELECT f.id AS file_id, f.archive_id, f.recording_id, f.path, f.metadata, f.recorded_at, f.dialogue,
       rs.alignment_id, rs.profile_version_id, p.name AS profile, pv.version
  FROM archive_files f
  JOIN alignments al ON al.recording_id = f.recording_id AND al.transcript_sha256 = f.transcript_sha256
  JOIN recording_scores rs ON rs.alignment_id = al.id AND rs.state = 'done'
  JOIN profile_versions pv ON pv.id = rs.profile_version_id
  JOIN profiles p ON p.id = pv.profile_id
 WHERE NOT EXISTS (
       SELECT FROM alignments other, recording_scores ors, profile_versions opv
        WHERE ors.alignment_id = other.id AND ors.state = 'done'
          AND opv.id = ors.profile_version_id
          AND other.recording_id = al.recording_id
          AND other.transcript_sha256 = al.transcript_sha256
          AND opv.profile_id = pv.profile_id
          AND (coalesce(other.options_hash = f.options_hash, false), other.id, coalesce(opv.id = p.champion_id, false), opv.version)
              > (coalesce(al.options_hash = f.options_hash, false), al.id, coalesce(pv.id = p.champion_id, false), pv.version));
COMMENT ON VIEW current_recording_scores IS 'internal: the alignment and profile version that a file shows';
