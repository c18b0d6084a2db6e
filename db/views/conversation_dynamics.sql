-- Who spoke how much, over whom, and who waited: one row per speaker of a recording. Found from times alone; the profile
-- only says which alignment is shown.
CREATE VIEW conversation_dynamics AS
SELECT f.profile,
       f.version,
       a.url AS archive,
       f.recording_id,
       f.path AS recording,
       f.metadata,
       f.recorded_at,
       f.dialogue,
       sp.name AS speaker,
       m.utterances,
       m.turns,
       m.talk_s,
       m.talk_share,
       m.longest_turn_s,
       m.overlap_s,
       m.interruptions,
       m.response_s,
       al.duration_s,
       greatest(al.duration_s - m.spoken_s, 0)::real AS silence_s
  FROM current_recording_scores f
  JOIN archives a ON a.id = f.archive_id
  JOIN alignments al ON al.id = f.alignment_id
 CROSS JOIN LATERAL (
        WITH said AS (
             SELECT u.*,
                    numrange(u.start_s::numeric, u.end_s::numeric) AS seconds,
                    lag(u.speaker_id) OVER (ORDER BY u.utterance_no) AS before_id,
                    lag(u.end_s) OVER (ORDER BY u.utterance_no) AS before_end_s
               FROM utterances u
              WHERE u.alignment_id = f.alignment_id
        ), turned AS (
             SELECT said.*,
                    count(*) FILTER (WHERE before_id IS DISTINCT FROM speaker_id) OVER (ORDER BY utterance_no) AS turn,
                    -- It began while somebody spoke and went on after them. Utterances are in the order of their starts,
                    -- so those are found a few before it.
                    EXISTS (SELECT FROM utterances x
                             WHERE x.alignment_id = said.alignment_id
                               AND x.utterance_no BETWEEN said.utterance_no - 20 AND said.utterance_no - 1
                               AND x.speaker_id <> said.speaker_id
                               AND x.end_s > said.start_s AND x.end_s < said.end_s) AS interrupts
               FROM said
        ), turns AS (
             SELECT speaker_id, max(seconds) AS longest_s
               FROM (SELECT speaker_id, (max(end_s) - min(start_s))::real AS seconds FROM turned GROUP BY speaker_id, turn) t
              GROUP BY speaker_id
        ), voices AS (
             SELECT speaker_id,
                    count(*) AS utterances,
                    count(DISTINCT turn) AS turns,
                    range_agg(seconds) AS spoken,
                    count(*) FILTER (WHERE interrupts) AS interruptions,
                    percentile_cont(0.5) WITHIN GROUP (ORDER BY start_s - before_end_s)
                        FILTER (WHERE before_id <> speaker_id) AS response_s
               FROM turned
              GROUP BY speaker_id
        ), lengths AS (
             SELECT v.*,
                    (SELECT sum(upper(r) - lower(r)) FROM unnest(v.spoken) r) AS talk_s,
                    (SELECT sum(upper(r) - lower(r))
                       FROM unnest(v.spoken * (SELECT range_agg(o.spoken) FROM voices o WHERE o.speaker_id <> v.speaker_id)) r) AS overlap_s,
                    (SELECT sum(upper(r) - lower(r)) FROM unnest((SELECT range_agg(o.spoken) FROM voices o)) r) AS spoken_s
               FROM voices v
        )
        SELECT l.speaker_id,
               l.utterances,
               l.turns,
               l.talk_s::real AS talk_s,
               (l.talk_s / nullif(sum(l.talk_s) OVER (), 0))::real AS talk_share,
               t.longest_s AS longest_turn_s,
               coalesce(l.overlap_s, 0)::real AS overlap_s,
               l.interruptions,
               l.response_s::real AS response_s,
               l.spoken_s::real AS spoken_s
          FROM lengths l
          JOIN turns t USING (speaker_id)
       ) m
  JOIN speakers sp ON sp.id = m.speaker_id;
COMMENT ON VIEW conversation_dynamics IS 'who spoke how much, over whom, and who waited: one row per speaker of a recording';
COMMENT ON COLUMN conversation_dynamics.profile IS 'name of the profile';
COMMENT ON COLUMN conversation_dynamics.version IS 'version of the profile by which the recording is shown';
COMMENT ON COLUMN conversation_dynamics.archive IS 'folder or URL of the archive';
COMMENT ON COLUMN conversation_dynamics.recording_id IS 'audio content; the same content at two paths has one id';
COMMENT ON COLUMN conversation_dynamics.recording IS 'path within the archive';
COMMENT ON COLUMN conversation_dynamics.metadata IS 'further facts about the file, from its manifest';
COMMENT ON COLUMN conversation_dynamics.recorded_at IS 'when it was recorded, from its manifest';
COMMENT ON COLUMN conversation_dynamics.dialogue IS 'the conversation it is a part of, from its manifest';
COMMENT ON COLUMN conversation_dynamics.speaker IS 'name from the transcript, or speaker 1, 2 ... of this recording';
COMMENT ON COLUMN conversation_dynamics.utterances IS 'utterances of the speaker';
COMMENT ON COLUMN conversation_dynamics.turns IS 'stretches of utterances with nobody else between';
COMMENT ON COLUMN conversation_dynamics.talk_s IS 'seconds in which the speaker speaks';
COMMENT ON COLUMN conversation_dynamics.talk_share IS 'of the seconds of all speakers added: 0 to 1';
COMMENT ON COLUMN conversation_dynamics.longest_turn_s IS 'seconds of the longest turn, pauses within it included';
COMMENT ON COLUMN conversation_dynamics.overlap_s IS 'seconds in which somebody else speaks too';
COMMENT ON COLUMN conversation_dynamics.interruptions IS 'utterances that begin while somebody else speaks and go on after them';
COMMENT ON COLUMN conversation_dynamics.response_s IS 'median seconds from the end of somebody else''s utterance to the answer; negative: before it ended';
COMMENT ON COLUMN conversation_dynamics.duration_s IS 'length of the recording';
COMMENT ON COLUMN conversation_dynamics.silence_s IS 'seconds of the recording in which nobody speaks';
