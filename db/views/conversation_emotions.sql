-- One row per recording and profile, read from roll-ups.
CREATE VIEW conversation_emotions AS
SELECT f.profile,
       f.version,
       a.url AS archive,
       f.recording_id,
       f.path AS recording,
       f.metadata,
       f.recorded_at,
       f.dialogue,
       al.language,
       al.duration_s,
       (SELECT count(*) FROM alignment_speakers x WHERE x.alignment_id = f.alignment_id) AS speakers,
       rs.utterances,
       rs.speech_s,
       rs.label,
       rs.mean_angry AS p_angry,
       rs.mean_happy AS p_happy,
       rs.mean_neutral AS p_neutral,
       rs.mean_sad AS p_sad,
       rs.mean_fear AS p_fear,
       rs.mean_disgust AS p_disgust,
       rs.mean_surprise AS p_surprise
  FROM current_recording_scores f
  JOIN archives a ON a.id = f.archive_id
  JOIN alignments al ON al.id = f.alignment_id
  JOIN recording_scores rs ON rs.alignment_id = f.alignment_id AND rs.profile_version_id = f.profile_version_id;
COMMENT ON VIEW conversation_emotions IS 'one row per recording and profile: means weighted by seconds of speech';
COMMENT ON COLUMN conversation_emotions.profile IS 'name of the profile';
COMMENT ON COLUMN conversation_emotions.version IS 'version of the profile that gave these values';
COMMENT ON COLUMN conversation_emotions.archive IS 'folder or URL of the archive';
COMMENT ON COLUMN conversation_emotions.recording_id IS 'audio content; the same content at two paths has one id';
COMMENT ON COLUMN conversation_emotions.recording IS 'path within the archive';
COMMENT ON COLUMN conversation_emotions.metadata IS 'further facts about the file, from its manifest';
COMMENT ON COLUMN conversation_emotions.recorded_at IS 'when it was recorded, from its manifest';
COMMENT ON COLUMN conversation_emotions.dialogue IS 'the conversation it is a part of, from its manifest';
COMMENT ON COLUMN conversation_emotions.language IS 'language of the text (ISO 639-1)';
COMMENT ON COLUMN conversation_emotions.duration_s IS 'length of the recording';
COMMENT ON COLUMN conversation_emotions.speakers IS 'number of voices';
COMMENT ON COLUMN conversation_emotions.utterances IS 'number of utterances';
COMMENT ON COLUMN conversation_emotions.speech_s IS 'seconds of speech, utterances of all speakers added';
COMMENT ON COLUMN conversation_emotions.label IS 'emotion with the highest mean';
COMMENT ON COLUMN conversation_emotions.p_angry IS 'mean probability of angry, weighted by seconds of speech';
COMMENT ON COLUMN conversation_emotions.p_happy IS 'mean probability of happy, weighted by seconds of speech';
COMMENT ON COLUMN conversation_emotions.p_neutral IS 'mean probability of neutral, weighted by seconds of speech';
COMMENT ON COLUMN conversation_emotions.p_sad IS 'mean probability of sad, weighted by seconds of speech';
COMMENT ON COLUMN conversation_emotions.p_fear IS 'mean probability of fear, weighted by seconds of speech';
COMMENT ON COLUMN conversation_emotions.p_disgust IS 'mean probability of disgust, weighted by seconds of speech';
COMMENT ON COLUMN conversation_emotions.p_surprise IS 'mean probability of surprise, weighted by seconds of speech';
