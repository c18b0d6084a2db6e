-- One row per import of labels: what it brought, and how far people agree on it.
CREATE VIEW label_imports AS
SELECT id AS batch,
       created_at AS imported_at,
       source,
       format,
       annotators,
       added,
       corrected,
       unchanged,
       refused,
       left_out,
       emotion_items,
       emotion_alpha,
       emotion_low,
       emotion_high,
       emotion_note,
       arousal_items,
       arousal_alpha,
       arousal_low,
       arousal_high,
       arousal_note,
       valence_items,
       valence_alpha,
       valence_low,
       valence_high,
       valence_note
  FROM label_batches;
COMMENT ON VIEW label_imports IS
    'one row per import of labels of one''s own, with the agreement of everybody on the stretches that it brought';
COMMENT ON COLUMN label_imports.batch IS 'number of the import, as tenor labels show takes it';
COMMENT ON COLUMN label_imports.imported_at IS 'when it was read';
COMMENT ON COLUMN label_imports.source IS 'name of the file or folder that was read';
COMMENT ON COLUMN label_imports.format IS 'table, jsonl, label-studio, textgrid';
COMMENT ON COLUMN label_imports.annotators IS 'who judged';
COMMENT ON COLUMN label_imports.added IS 'labels that were new';
COMMENT ON COLUMN label_imports.corrected IS 'labels that took the place of the annotator''s earlier one';
COMMENT ON COLUMN label_imports.unchanged IS 'labels that were there already';
COMMENT ON COLUMN label_imports.refused IS 'lines that could not be followed';
COMMENT ON COLUMN label_imports.left_out IS 'lines that say nothing, by reason';
COMMENT ON COLUMN label_imports.emotion_items IS 'stretches that two or more people gave a class';
COMMENT ON COLUMN label_imports.emotion_alpha IS 'Krippendorff''s alpha of the classes, nominal; 1 is full agreement, 0 chance';
COMMENT ON COLUMN label_imports.emotion_low IS '95 % interval of that, by bootstrap over stretches';
COMMENT ON COLUMN label_imports.emotion_high IS 'upper end of that interval';
COMMENT ON COLUMN label_imports.arousal_items IS 'stretches whose arousal two or more people judged';
COMMENT ON COLUMN label_imports.arousal_alpha IS 'Krippendorff''s alpha of arousal, interval scale';
COMMENT ON COLUMN label_imports.arousal_low IS '95 % interval of that, by bootstrap over stretches';
COMMENT ON COLUMN label_imports.arousal_high IS 'upper end of that interval';
COMMENT ON COLUMN label_imports.valence_items IS 'stretches whose valence two or more people judged';
COMMENT ON COLUMN label_imports.valence_alpha IS 'Krippendorff''s alpha of valence, interval scale';
COMMENT ON COLUMN label_imports.valence_low IS '95 % interval of that, by bootstrap over stretches';
COMMENT ON COLUMN label_imports.valence_high IS 'upper end of that interval';
COMMENT ON COLUMN label_imports.emotion_note IS 'why there is no alpha; NULL: there is one';
COMMENT ON COLUMN label_imports.arousal_note IS 'why there is no alpha; NULL: there is one';
COMMENT ON COLUMN label_imports.valence_note IS 'why there is no alpha; NULL: there is one';
