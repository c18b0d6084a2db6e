-- One row per utterance and profile, by the version current for its recording.
CREATE VIEW utterance_emotions AS
SELECT f.profile,
       f.version,
       b.job_id,
       a.url AS archive,
       f.recording_id,
       f.path AS recording,
       f.metadata,
       f.recorded_at,
       f.dialogue,
       u.language,
       u.utterance_no,
       sp.name AS speaker,
       u.start_s,
       u.end_s,
       u.text,
       s.label,
       s.confidence,
       s.fused_angry AS p_angry,
       s.fused_happy AS p_happy,
       s.fused_neutral AS p_neutral,
       s.fused_sad AS p_sad,
       s.fused_fear AS p_fear,
       s.fused_disgust AS p_disgust,
       s.fused_surprise AS p_surprise,
       s.speech_angry,
       s.speech_happy,
       s.speech_neutral,
       s.speech_sad,
       s.speech_fear,
       s.speech_disgust,
       s.speech_surprise,
       s.text_angry,
       s.text_happy,
       s.text_neutral,
       s.text_sad,
       s.text_fear,
       s.text_disgust,
       s.text_surprise,
       s.arousal,
       s.valence,
       s.affect_source,
       nullif(concat_ws(' ', u.quality, s.quality), '') AS quality
  FROM current_recording_scores f
  JOIN archives a ON a.id = f.archive_id
  JOIN scores s ON s.alignment_id = f.alignment_id AND s.profile_version_id = f.profile_version_id
  JOIN utterances u ON u.alignment_id = s.alignment_id AND u.utterance_no = s.utterance_no
  JOIN speakers sp ON sp.id = u.speaker_id
  JOIN batches b ON b.id = s.batch_id;
COMMENT ON VIEW utterance_emotions IS 'who felt what, when: one row per utterance and profile; of files that were deleted since, too';
COMMENT ON COLUMN utterance_emotions.profile IS 'name of the profile';
COMMENT ON COLUMN utterance_emotions.version IS 'version of the profile that gave these values';
COMMENT ON COLUMN utterance_emotions.job_id IS 'job that scored it';
COMMENT ON COLUMN utterance_emotions.archive IS 'folder or URL of the archive';
COMMENT ON COLUMN utterance_emotions.recording_id IS 'audio content; the same content at two paths has one id';
COMMENT ON COLUMN utterance_emotions.recording IS 'path within the archive';
COMMENT ON COLUMN utterance_emotions.metadata IS 'further facts about the file, from its manifest';
COMMENT ON COLUMN utterance_emotions.recorded_at IS 'when it was recorded, from its manifest';
COMMENT ON COLUMN utterance_emotions.dialogue IS 'the conversation it is a part of, from its manifest';
COMMENT ON COLUMN utterance_emotions.language IS 'language of the text (ISO 639-1)';
COMMENT ON COLUMN utterance_emotions.utterance_no IS '0, 1, 2 ... within the recording, by start';
COMMENT ON COLUMN utterance_emotions.speaker IS 'name from the transcript, or speaker 1, 2 ... of this recording';
COMMENT ON COLUMN utterance_emotions.start_s IS 'start, seconds from the beginning of the recording';
COMMENT ON COLUMN utterance_emotions.end_s IS 'end, seconds from the beginning of the recording';
COMMENT ON COLUMN utterance_emotions.text IS 'what was said; NULL without transcript, when it is not what is said, or with --no-keep-text';
COMMENT ON COLUMN utterance_emotions.label IS 'emotion with the highest fused probability';
COMMENT ON COLUMN utterance_emotions.confidence IS 'the fused probability of label';
COMMENT ON COLUMN utterance_emotions.arousal IS '1 (calm) to 5 (excited); NULL when the profile has no affect model';
COMMENT ON COLUMN utterance_emotions.valence IS '1 (negative) to 5 (positive); NULL when the profile has no affect model';
COMMENT ON COLUMN utterance_emotions.affect_source IS 'model that arousal and valence come from';
COMMENT ON COLUMN utterance_emotions.quality IS 'what is missing and why; NULL when nothing';
COMMENT ON COLUMN utterance_emotions.p_angry IS 'probability of angry, speech and text fused';
COMMENT ON COLUMN utterance_emotions.p_happy IS 'probability of happy, speech and text fused';
COMMENT ON COLUMN utterance_emotions.p_neutral IS 'probability of neutral, speech and text fused';
COMMENT ON COLUMN utterance_emotions.p_sad IS 'probability of sad, speech and text fused';
COMMENT ON COLUMN utterance_emotions.p_fear IS 'probability of fear, speech and text fused';
COMMENT ON COLUMN utterance_emotions.p_disgust IS 'probability of disgust, speech and text fused';
COMMENT ON COLUMN utterance_emotions.p_surprise IS 'probability of surprise, speech and text fused';
COMMENT ON COLUMN utterance_emotions.speech_angry IS 'probability of angry by the sound of the voice alone';
COMMENT ON COLUMN utterance_emotions.speech_happy IS 'probability of happy by the sound of the voice alone';
COMMENT ON COLUMN utterance_emotions.speech_neutral IS 'probability of neutral by the sound of the voice alone';
COMMENT ON COLUMN utterance_emotions.speech_sad IS 'probability of sad by the sound of the voice alone';
COMMENT ON COLUMN utterance_emotions.speech_fear IS 'probability of fear by the sound of the voice alone';
COMMENT ON COLUMN utterance_emotions.speech_disgust IS 'probability of disgust by the sound of the voice alone';
COMMENT ON COLUMN utterance_emotions.speech_surprise IS 'probability of surprise by the sound of the voice alone';
COMMENT ON COLUMN utterance_emotions.text_angry IS 'probability of angry by the words alone; NULL without text';
COMMENT ON COLUMN utterance_emotions.text_happy IS 'probability of happy by the words alone; NULL without text';
COMMENT ON COLUMN utterance_emotions.text_neutral IS 'probability of neutral by the words alone; NULL without text';
COMMENT ON COLUMN utterance_emotions.text_sad IS 'probability of sad by the words alone; NULL without text';
COMMENT ON COLUMN utterance_emotions.text_fear IS 'probability of fear by the words alone; NULL without text';
COMMENT ON COLUMN utterance_emotions.text_disgust IS 'probability of disgust by the words alone; NULL without text';
COMMENT ON COLUMN utterance_emotions.text_surprise IS 'probability of surprise by the words alone; NULL without text';
