-- Where somebody's emotion turned: one row for every utterance whose label is not that of the same speaker's last one.
CREATE VIEW emotion_shifts AS
SELECT f.profile,
       f.version,
       a.url AS archive,
       f.recording_id,
       f.path AS recording,
       f.metadata,
       f.recorded_at,
       f.dialogue,
       sp.name AS speaker,
       m.utterance_no,
       m.start_s,
       m.text,
       m.from_label,
       m.to_label,
       m.confidence,
       m.shift,
       m.negative_change,
       m.since_no,
       m.since_s,
       other.name AS after_speaker,
       m.after_no,
       m.after_text
  FROM current_recording_scores f
  JOIN archives a ON a.id = f.archive_id
 CROSS JOIN LATERAL (
        SELECT w.speaker_id,
               w.utterance_no,
               w.start_s,
               w.text,
               w.was_label AS from_label,
               w.label AS to_label,
               w.confidence,
               ((abs(coalesce(w.fused_angry, 0) - coalesce(w.was_angry, 0)) + abs(coalesce(w.fused_happy, 0) - coalesce(w.was_happy, 0))
                 + abs(coalesce(w.fused_neutral, 0) - coalesce(w.was_neutral, 0)) + abs(coalesce(w.fused_sad, 0) - coalesce(w.was_sad, 0))
                 + abs(coalesce(w.fused_fear, 0) - coalesce(w.was_fear, 0)) + abs(coalesce(w.fused_disgust, 0) - coalesce(w.was_disgust, 0))
                 + abs(coalesce(w.fused_surprise, 0) - coalesce(w.was_surprise, 0))) / 2)::real AS shift,
               (coalesce(w.fused_angry, 0) - coalesce(w.was_angry, 0) + coalesce(w.fused_sad, 0) - coalesce(w.was_sad, 0)
                + coalesce(w.fused_fear, 0) - coalesce(w.was_fear, 0) + coalesce(w.fused_disgust, 0) - coalesce(w.was_disgust, 0))::real AS negative_change,
               w.was_no AS since_no,
               w.was_end_s AS since_s,
               CASE WHEN w.before_id <> w.speaker_id THEN w.before_id END AS after_id,
               CASE WHEN w.before_id <> w.speaker_id THEN w.before_no END AS after_no,
               CASE WHEN w.before_id <> w.speaker_id THEN w.before_text END AS after_text
          FROM (
                SELECT u.speaker_id, u.utterance_no, u.start_s, u.text, s.label, s.confidence,
                       s.fused_angry, s.fused_happy, s.fused_neutral, s.fused_sad,
                       s.fused_fear, s.fused_disgust, s.fused_surprise,
                       lag(s.label) OVER own AS was_label,
                       lag(u.utterance_no) OVER own AS was_no,
                       lag(u.end_s) OVER own AS was_end_s,
                       lag(s.fused_angry) OVER own AS was_angry,
                       lag(s.fused_happy) OVER own AS was_happy,
                       lag(s.fused_neutral) OVER own AS was_neutral,
                       lag(s.fused_sad) OVER own AS was_sad,
                       lag(s.fused_fear) OVER own AS was_fear,
                       lag(s.fused_disgust) OVER own AS was_disgust,
                       lag(s.fused_surprise) OVER own AS was_surprise,
                       lag(u.speaker_id) OVER everybody AS before_id,
                       lag(u.utterance_no) OVER everybody AS before_no,
                       lag(u.text) OVER everybody AS before_text
                  FROM scores s
                  JOIN utterances u ON u.alignment_id = s.alignment_id AND u.utterance_no = s.utterance_no
                 WHERE s.alignment_id = f.alignment_id AND s.profile_version_id = f.profile_version_id
                WINDOW own AS (PARTITION BY u.speaker_id ORDER BY u.utterance_no),
                       everybody AS (ORDER BY u.utterance_no)
               ) w
         WHERE w.label <> w.was_label
       ) m
  JOIN speakers sp ON sp.id = m.speaker_id
  LEFT JOIN speakers other ON other.id = m.after_id;
COMMENT ON VIEW emotion_shifts IS 'where a speaker''s emotion turned, how far, and right after what';
COMMENT ON COLUMN emotion_shifts.profile IS 'name of the profile';
COMMENT ON COLUMN emotion_shifts.version IS 'version of the profile that gave these values';
COMMENT ON COLUMN emotion_shifts.archive IS 'folder or URL of the archive';
COMMENT ON COLUMN emotion_shifts.recording_id IS 'audio content; the same content at two paths has one id';
COMMENT ON COLUMN emotion_shifts.recording IS 'path within the archive';
COMMENT ON COLUMN emotion_shifts.metadata IS 'further facts about the file, from its manifest';
COMMENT ON COLUMN emotion_shifts.recorded_at IS 'when it was recorded, from its manifest';
COMMENT ON COLUMN emotion_shifts.dialogue IS 'the conversation it is a part of, from its manifest';
COMMENT ON COLUMN emotion_shifts.speaker IS 'whose emotion turned';
COMMENT ON COLUMN emotion_shifts.utterance_no IS 'the utterance with the new emotion';
COMMENT ON COLUMN emotion_shifts.start_s IS 'when it begins, seconds from the beginning of the recording';
COMMENT ON COLUMN emotion_shifts.text IS 'what was said; NULL where no text is kept';
COMMENT ON COLUMN emotion_shifts.from_label IS 'emotion of the same speaker''s last utterance';
COMMENT ON COLUMN emotion_shifts.to_label IS 'emotion of this one';
COMMENT ON COLUMN emotion_shifts.confidence IS 'the fused probability of to_label';
COMMENT ON COLUMN emotion_shifts.shift IS '0 (the same) to 1: total variation distance of the two distributions';
COMMENT ON COLUMN emotion_shifts.negative_change IS 'how much more probable angry, sad, fear or disgust became: -1 to 1';
COMMENT ON COLUMN emotion_shifts.since_no IS 'the speaker''s last utterance';
COMMENT ON COLUMN emotion_shifts.since_s IS 'when that ended, seconds from the beginning of the recording';
COMMENT ON COLUMN emotion_shifts.after_speaker IS 'who spoke right before, if somebody else did';
COMMENT ON COLUMN emotion_shifts.after_no IS 'that utterance';
COMMENT ON COLUMN emotion_shifts.after_text IS 'what they said';
