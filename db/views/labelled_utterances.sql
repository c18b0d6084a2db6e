-- What people heard beside what was analysed: one row per label and utterance that share some time. Whoever wants the
-- label of an utterance takes those with enough of it in common, e.g. overlap_s >= 0.5 * (end_s - start_s).
CREATE VIEW labelled_utterances AS
SELECT e.profile,
       e.version,
       e.archive,
       e.recording_id,
       e.recording,
       e.utterance_no,
       e.speaker,
       e.start_s,
       e.end_s,
       e.label,
       e.confidence,
       e.arousal,
       e.valence,
       l.corpus,
       l.annotator,
       l.item_id,
       l.speaker AS labelled_speaker,
       l.start_s AS labelled_start_s,
       l.end_s AS labelled_end_s,
       least(e.end_s, l.end_s) - greatest(e.start_s, l.start_s) AS overlap_s,
       l.label AS labelled,
       l.source_label,
       l.share_angry,
       l.share_happy,
       l.share_neutral,
       l.share_sad,
       l.share_fear,
       l.share_disgust,
       l.share_surprise,
       l.arousal AS labelled_arousal,
       l.valence AS labelled_valence,
       l.session,
       l.split
  FROM utterance_emotions e
  JOIN labels l ON l.recording_id = e.recording_id AND l.start_s < e.end_s AND l.end_s > e.start_s;
COMMENT ON VIEW labelled_utterances IS 'analysis beside labels by people: one row per utterance, profile and label that overlap';
COMMENT ON COLUMN labelled_utterances.profile IS 'name of the profile';
COMMENT ON COLUMN labelled_utterances.version IS 'version of the profile that analysed it';
COMMENT ON COLUMN labelled_utterances.archive IS 'folder or URL of the archive';
COMMENT ON COLUMN labelled_utterances.recording_id IS 'audio content; the same content at two paths has one id';
COMMENT ON COLUMN labelled_utterances.recording IS 'path within the archive';
COMMENT ON COLUMN labelled_utterances.utterance_no IS '0, 1, 2 ... within the recording, by start';
COMMENT ON COLUMN labelled_utterances.speaker IS 'speaker as analysed';
COMMENT ON COLUMN labelled_utterances.start_s IS 'start of the utterance, seconds from the beginning of the recording';
COMMENT ON COLUMN labelled_utterances.end_s IS 'end of the utterance, seconds from the beginning of the recording';
COMMENT ON COLUMN labelled_utterances.label IS 'emotion with the highest fused probability';
COMMENT ON COLUMN labelled_utterances.confidence IS 'the fused probability of label';
COMMENT ON COLUMN labelled_utterances.arousal IS 'as analysed: 1 (calm) to 5 (excited)';
COMMENT ON COLUMN labelled_utterances.valence IS 'as analysed: 1 (negative) to 5 (positive)';
COMMENT ON COLUMN labelled_utterances.corpus IS 'corpus that the label is from';
COMMENT ON COLUMN labelled_utterances.annotator IS 'who judged; a corpus''s name: what it publishes as agreed';
COMMENT ON COLUMN labelled_utterances.item_id IS 'the corpus''s name for what was labelled';
COMMENT ON COLUMN labelled_utterances.labelled_speaker IS 'speaker as the corpus says, unique across corpora';
COMMENT ON COLUMN labelled_utterances.labelled_start_s IS 'start of what was labelled, seconds from the beginning of the recording';
COMMENT ON COLUMN labelled_utterances.labelled_end_s IS 'end of what was labelled, seconds from the beginning of the recording';
COMMENT ON COLUMN labelled_utterances.overlap_s IS 'seconds that the utterance and the label have in common';
COMMENT ON COLUMN labelled_utterances.labelled IS 'emotion that people heard or meant; NULL when nothing was agreed, or none of the classes';
COMMENT ON COLUMN labelled_utterances.source_label IS 'the corpus''s own word for it, before classes were merged';
COMMENT ON COLUMN labelled_utterances.share_angry IS 'share of votes for angry; NULL without votes';
COMMENT ON COLUMN labelled_utterances.share_happy IS 'share of votes for happy; NULL without votes';
COMMENT ON COLUMN labelled_utterances.share_neutral IS 'share of votes for neutral; NULL without votes';
COMMENT ON COLUMN labelled_utterances.share_sad IS 'share of votes for sad; NULL without votes';
COMMENT ON COLUMN labelled_utterances.share_fear IS 'share of votes for fear; NULL without votes';
COMMENT ON COLUMN labelled_utterances.share_disgust IS 'share of votes for disgust; NULL without votes';
COMMENT ON COLUMN labelled_utterances.share_surprise IS 'share of votes for surprise; NULL without votes';
COMMENT ON COLUMN labelled_utterances.labelled_arousal IS 'as people heard it: 1 (calm) to 5 (excited)';
COMMENT ON COLUMN labelled_utterances.labelled_valence IS 'as people heard it: 1 (negative) to 5 (positive)';
COMMENT ON COLUMN labelled_utterances.session IS 'people who are kept together when the corpus is split';
COMMENT ON COLUMN labelled_utterances.split IS 'the corpus''s own: train, dev or test';
