-- One row per speaker of a recording and profile.
CREATE VIEW speaker_emotions AS
SELECT f.profile,
       f.version,
       a.url AS archive,
       f.recording_id,
       f.path AS recording,
       m.speaker,
       m.utterances,
       m.speech_s,
       CASE greatest(m.p_angry, m.p_happy, m.p_neutral, m.p_sad, m.p_fear, m.p_disgust, m.p_surprise)
            WHEN m.p_angry THEN 'angry'
            WHEN m.p_happy THEN 'happy'
            WHEN m.p_neutral THEN 'neutral'
            WHEN m.p_sad THEN 'sad'
            WHEN m.p_fear THEN 'fear'
            WHEN m.p_disgust THEN 'disgust'
            WHEN m.p_surprise THEN 'surprise'
       END AS label,
       m.p_angry,
       m.p_happy,
       m.p_neutral,
       m.p_sad,
       m.p_fear,
       m.p_disgust,
       m.p_surprise
  FROM current_recording_scores f
  JOIN archives a ON a.id = f.archive_id
 CROSS JOIN LATERAL (
        SELECT sp.name AS speaker,
               count(*) AS utterances,
               sum(o.seconds)::real AS speech_s,
               (sum(s.fused_angry * o.seconds) / nullif(sum(o.seconds) FILTER (WHERE s.fused_angry IS NOT NULL), 0))::real AS p_angry,
               (sum(s.fused_happy * o.seconds) / nullif(sum(o.seconds) FILTER (WHERE s.fused_happy IS NOT NULL), 0))::real AS p_happy,
               (sum(s.fused_neutral * o.seconds) / nullif(sum(o.seconds) FILTER (WHERE s.fused_neutral IS NOT NULL), 0))::real AS p_neutral,
               (sum(s.fused_sad * o.seconds) / nullif(sum(o.seconds) FILTER (WHERE s.fused_sad IS NOT NULL), 0))::real AS p_sad,
               (sum(s.fused_fear * o.seconds) / nullif(sum(o.seconds) FILTER (WHERE s.fused_fear IS NOT NULL), 0))::real AS p_fear,
               (sum(s.fused_disgust * o.seconds) / nullif(sum(o.seconds) FILTER (WHERE s.fused_disgust IS NOT NULL), 0))::real AS p_disgust,
               (sum(s.fused_surprise * o.seconds) / nullif(sum(o.seconds) FILTER (WHERE s.fused_surprise IS NOT NULL), 0))::real AS p_surprise
          FROM scores s
          JOIN utterances u ON u.alignment_id = s.alignment_id AND u.utterance_no = s.utterance_no
          JOIN speakers sp ON sp.id = u.speaker_id
         CROSS JOIN LATERAL (SELECT u.end_s::float8 - u.start_s AS seconds) o
         WHERE s.alignment_id = f.alignment_id AND s.profile_version_id = f.profile_version_id
         GROUP BY sp.name
       ) m;
COMMENT ON VIEW speaker_emotions IS 'one row per speaker of a recording and profile: means weighted by seconds of speech';
COMMENT ON COLUMN speaker_emotions.profile IS 'name of the profile';
COMMENT ON COLUMN speaker_emotions.version IS 'version of the profile that gave these values';
COMMENT ON COLUMN speaker_emotions.archive IS 'folder or URL of the archive';
COMMENT ON COLUMN speaker_emotions.recording_id IS 'audio content; the same content at two paths has one id';
COMMENT ON COLUMN speaker_emotions.recording IS 'path within the archive';
COMMENT ON COLUMN speaker_emotions.speaker IS 'name from the transcript, or speaker 1, 2 ... of this recording';
COMMENT ON COLUMN speaker_emotions.utterances IS 'number of utterances of the speaker';
COMMENT ON COLUMN speaker_emotions.speech_s IS 'seconds of speech';
COMMENT ON COLUMN speaker_emotions.label IS 'emotion with the highest mean';
COMMENT ON COLUMN speaker_emotions.p_angry IS 'mean probability of angry, weighted by seconds of speech';
COMMENT ON COLUMN speaker_emotions.p_happy IS 'mean probability of happy, weighted by seconds of speech';
COMMENT ON COLUMN speaker_emotions.p_neutral IS 'mean probability of neutral, weighted by seconds of speech';
COMMENT ON COLUMN speaker_emotions.p_sad IS 'mean probability of sad, weighted by seconds of speech';
COMMENT ON COLUMN speaker_emotions.p_fear IS 'mean probability of fear, weighted by seconds of speech';
COMMENT ON COLUMN speaker_emotions.p_disgust IS 'mean probability of disgust, weighted by seconds of speech';
COMMENT ON COLUMN speaker_emotions.p_surprise IS 'mean probability of surprise, weighted by seconds of speech';
