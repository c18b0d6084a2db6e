-- Bins of ten seconds per speaker; an utterance counts in a bin by the seconds it overlaps it.
CREATE VIEW emotion_timeline AS
SELECT f.profile,
       f.version,
       a.url AS archive,
       f.recording_id,
       f.path AS recording,
       m.speaker,
       m.bin_start_s,
       m.bin_start_s + 10 AS bin_end_s,
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
               bin.start_s AS bin_start_s,
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
         CROSS JOIN LATERAL (
                SELECT (n * 10)::real AS start_s
                  FROM generate_series(floor(u.start_s / 10)::int, ceil(u.end_s / 10)::int - 1) AS n
               ) bin
         CROSS JOIN LATERAL (SELECT least(u.end_s, bin.start_s + 10)::float8 - greatest(u.start_s, bin.start_s) AS seconds) o
         WHERE s.alignment_id = f.alignment_id AND s.profile_version_id = f.profile_version_id
         GROUP BY sp.name, bin.start_s
       ) m;
COMMENT ON VIEW emotion_timeline IS 'emotion over time: bins of ten seconds per speaker';
COMMENT ON COLUMN emotion_timeline.profile IS 'name of the profile';
COMMENT ON COLUMN emotion_timeline.version IS 'version of the profile that gave these values';
COMMENT ON COLUMN emotion_timeline.archive IS 'folder or URL of the archive';
COMMENT ON COLUMN emotion_timeline.recording_id IS 'audio content; the same content at two paths has one id';
COMMENT ON COLUMN emotion_timeline.recording IS 'path within the archive';
COMMENT ON COLUMN emotion_timeline.speaker IS 'name from the transcript, or speaker 1, 2 ... of this recording';
COMMENT ON COLUMN emotion_timeline.bin_start_s IS 'start of the bin';
COMMENT ON COLUMN emotion_timeline.bin_end_s IS 'end of the bin (the recording may end before)';
COMMENT ON COLUMN emotion_timeline.speech_s IS 'seconds the speaker talks within the bin';
COMMENT ON COLUMN emotion_timeline.label IS 'emotion with the highest mean in the bin';
COMMENT ON COLUMN emotion_timeline.p_angry IS 'mean probability of angry in the bin, weighted by seconds of overlap';
COMMENT ON COLUMN emotion_timeline.p_happy IS 'mean probability of happy in the bin, weighted by seconds of overlap';
COMMENT ON COLUMN emotion_timeline.p_neutral IS 'mean probability of neutral in the bin, weighted by seconds of overlap';
COMMENT ON COLUMN emotion_timeline.p_sad IS 'mean probability of sad in the bin, weighted by seconds of overlap';
COMMENT ON COLUMN emotion_timeline.p_fear IS 'mean probability of fear in the bin, weighted by seconds of overlap';
COMMENT ON COLUMN emotion_timeline.p_disgust IS 'mean probability of disgust in the bin, weighted by seconds of overlap';
COMMENT ON COLUMN emotion_timeline.p_surprise IS 'mean probability of surprise in the bin, weighted by seconds of overlap';
