-- How often the voice alone is right on RAVDESS, whose file names hold the truth (third field).
-- tenor analyze RAVDESS/ && tenor sql - < ops/sql/ravdess_accuracy.sql
WITH utterance AS (
    SELECT recording_id,
           -- A clip that lies in two archives, or twice in one, counts once.
           dense_rank() OVER (PARTITION BY recording_id ORDER BY archive, recording) AS place,
           (ARRAY['neutral', 'neutral', 'happy', 'sad', 'angry', 'fear', 'disgust', 'surprise'])
               [split_part(regexp_replace(recording, '^.*/', ''), '-', 3)::int] AS truth,
           (end_s - start_s) AS seconds,
           speech_angry, speech_happy, speech_neutral, speech_sad, speech_fear, speech_disgust, speech_surprise
      FROM utterance_emotions
     WHERE profile = 'mini' AND regexp_replace(recording, '^.*/', '') ~ '^03-01-0[1-8]-'
), clip AS (
    -- A clip may hold several utterances: their mean, weighted by seconds.
    SELECT recording_id, truth,
           sum(speech_angry * seconds) AS angry, sum(speech_happy * seconds) AS happy,
           sum(speech_neutral * seconds) AS neutral, sum(speech_sad * seconds) AS sad,
           sum(speech_fear * seconds) AS fear, sum(speech_disgust * seconds) AS disgust,
           sum(speech_surprise * seconds) AS surprise
      FROM utterance WHERE place = 1 GROUP BY recording_id, truth
), answer AS (
    SELECT truth,
           CASE greatest(angry, happy, neutral, sad, fear, disgust, surprise)
               WHEN angry THEN 'angry' WHEN happy THEN 'happy' WHEN neutral THEN 'neutral' WHEN sad THEN 'sad'
               WHEN fear THEN 'fear' WHEN disgust THEN 'disgust' ELSE 'surprise' END AS of_seven,
           CASE WHEN truth IN ('angry', 'happy', 'neutral', 'sad') THEN
               CASE greatest(angry, happy, neutral, sad)
                   WHEN angry THEN 'angry' WHEN happy THEN 'happy' WHEN neutral THEN 'neutral' ELSE 'sad' END
           END AS of_four
      FROM clip
)
SELECT truth,
       count(*) AS clips,
       count(*) FILTER (WHERE of_seven = 'angry') AS angry,
       count(*) FILTER (WHERE of_seven = 'happy') AS happy,
       count(*) FILTER (WHERE of_seven = 'neutral') AS neutral,
       count(*) FILTER (WHERE of_seven = 'sad') AS sad,
       count(*) FILTER (WHERE of_seven = 'fear') AS fear,
       count(*) FILTER (WHERE of_seven = 'disgust') AS disgust,
       count(*) FILTER (WHERE of_seven = 'surprise') AS surprise,
       round(avg((of_seven = truth)::int), 3) AS recall,
       round(avg((of_four = truth)::int), 3) AS recall_of_four
  FROM answer GROUP BY ROLLUP (truth)
 ORDER BY grouping(truth), truth
