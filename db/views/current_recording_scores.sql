-- Which alignment and version a file shows per profile: of those that scored the whole recording, the newest alignment
-- of the file's present content and transcript, and of it the champion, else the newest version. Not public.
CREATE VIEW current_recording_scores AS
SELECT f.id AS file_id, f.archive_id, f.recording_id, f.path, f.metadata,
       rs.alignment_id, rs.profile_version_id, p.name AS profile, pv.version
  FROM archive_files f
  JOIN alignments al ON al.recording_id = f.recording_id AND al.transcript_sha256 = f.transcript_sha256
  JOIN recording_scores rs ON rs.alignment_id = al.id AND rs.state = 'done'
  JOIN profile_versions pv ON pv.id = rs.profile_version_id
  JOIN profiles p ON p.id = pv.profile_id
 WHERE NOT EXISTS (
       SELECT FROM alignments better
         JOIN recording_scores brs ON brs.alignment_id = better.id AND brs.state = 'done'
         JOIN profile_versions bpv ON bpv.id = brs.profile_version_id AND bpv.profile_id = pv.profile_id
        WHERE better.recording_id = al.recording_id
          AND better.transcript_sha256 = al.transcript_sha256
          AND (better.id > al.id
               OR better.id = al.id
                  AND (coalesce(bpv.id = p.champion_id, false), bpv.version)
                      > (coalesce(pv.id = p.champion_id, false), pv.version)));
COMMENT ON VIEW current_recording_scores IS 'internal: the alignment and profile version that a file shows';
