"""Writing many rows: what is refused, what becomes NULL, and that writing twice changes nothing."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from sqlalchemy import text

from db.scores import ScoreBlock, roll_up, write_scores, write_utterances
from db.tables.scores import EMOTIONS
from tests.integration.planting import Plant

STORED = "SELECT xmin::text, ctid::text, * FROM scores ORDER BY alignment_id, utterance_no"


@pytest.fixture
def version(plant: Plant) -> int:
    made = plant.version(plant.profile(), 1)
    plant.conn.commit()
    return made


def block(version: int, count: int, **changes: Any) -> ScoreBlock:
    """Random distributions of one alignment's utterances; every third has no text."""
    speech, words, fused = np.random.default_rng(3).dirichlet(np.ones(len(EMOTIONS)), (3, count))
    words[::3] = np.nan
    made = ScoreBlock(version, 5, [(11, number) for number in range(count)], speech, words, fused)
    return dataclasses.replace(made, **changes)


def test_values_come_back_as_they_were_with_null_for_nan(plant: Plant, version: int) -> None:
    # Given a block with notes, one utterance of which has no value at all
    written = block(version, 4, quality=[None, "audio_too_short", "it's \\ a\tnote\n", None])
    for side in (written.speech, written.text, written.fused):
        side[1] = np.nan

    # When
    assert write_scores(plant.conn, written) == 4

    # Then
    rows = plant.rows(STORED)
    for side in ("speech", "text", "fused"):
        stored = [[row[f"{side}_{emotion}"] for emotion in EMOTIONS] for row in rows]
        np.testing.assert_allclose(np.array(stored, float), getattr(written, side), atol=1e-7)
    labels = [EMOTIONS[written.fused[number].argmax()] for number in (0, 2, 3)]
    assert [row["label"] for row in rows] == [labels[0], None, *labels[1:]]
    assert rows[0]["confidence"] == pytest.approx(written.fused[0].max())
    assert rows[1]["confidence"] is None
    assert [row["quality"] for row in rows] == list(written.quality)
    assert {(row["batch_id"], row["profile_version_id"], row["alignment_id"]) for row in rows} == {(5, version, 11)}


def test_writing_the_same_values_again_changes_no_row(plant: Plant, version: int) -> None:
    # Given stored scores
    assert write_scores(plant.conn, block(version, 50)) == 50
    plant.conn.commit()
    before = plant.rows(STORED)
    plant.conn.commit()

    # When they are written again, by another batch too
    again = write_scores(plant.conn, block(version, 50))
    by_another_batch = write_scores(plant.conn, block(version, 50, batch_id=6))
    plant.conn.commit()

    # Then no row version is new
    assert (again, by_another_batch) == (0, 0)
    assert plant.rows(STORED) == before


def test_only_what_differs_is_changed(plant: Plant, version: int) -> None:
    write_scores(plant.conn, block(version, 50))
    plant.conn.commit()
    before = plant.rows(STORED)
    plant.conn.commit()
    other = block(version, 50, batch_id=6)
    other.text[7] = other.speech[7]
    other.fused[8] = np.roll(other.fused[8], 1)

    assert write_scores(plant.conn, other) == 2
    plant.conn.commit()

    changed = [new["utterance_no"] for old, new in zip(before, plant.rows(STORED), strict=True) if old != new]
    assert changed == [7, 8]


def test_a_value_that_goes_away_becomes_null(plant: Plant, version: int) -> None:
    write_scores(plant.conn, block(version, 2))
    without = block(version, 2)
    without.text[:] = np.nan

    assert write_scores(plant.conn, without) == 1
    assert plant.rows("SELECT DISTINCT text_angry FROM scores") == [{"text_angry": None}]


def test_ten_thousand_rows_are_written_at_once(plant: Plant, version: int) -> None:
    assert write_scores(plant.conn, block(version, 10_000)) == 10_000
    (row,) = plant.rows(
        "SELECT count(*) AS n, count(text_sad) AS with_text, sum(fused_angry + fused_happy + fused_neutral"
        " + fused_sad + fused_fear + fused_disgust + fused_surprise) AS total FROM scores"
    )
    assert (row["n"], row["with_text"]) == (10_000, 6_666)
    assert row["total"] == pytest.approx(10_000, rel=1e-4)


def test_several_blocks_can_be_written_in_one_transaction(plant: Plant, version: int) -> None:
    write_scores(plant.conn, block(version, 3))
    write_scores(plant.conn, block(version, 3, keys=[(12, 0), (12, 1), (13, 0)]))

    assert plant.rows("SELECT count(*) AS n FROM scores") == [{"n": 6}]


def test_an_empty_block_writes_nothing(plant: Plant, version: int) -> None:
    assert write_scores(plant.conn, block(version, 0)) == 0


def test_rounding_above_one_is_stored_as_one(plant: Plant, version: int) -> None:
    sure = np.zeros((1, len(EMOTIONS)))
    sure[0, 3] = 1.0004

    write_scores(plant.conn, block(version, 1, speech=sure, text=sure, fused=sure))

    assert plant.rows("SELECT fused_sad, confidence, label FROM scores") == [
        {"fused_sad": 1.0, "confidence": 1.0, "label": "sad"}
    ]


def test_a_version_without_a_partition_is_refused(plant: Plant, version: int) -> None:
    with pytest.raises(Exception, match="no partition of relation"):
        write_scores(plant.conn, block(version + 1, 1))


def test_postgres_itself_refuses_what_is_no_probability(plant: Plant, version: int) -> None:
    for side in ("speech", "text", "fused"):
        with pytest.raises(Exception, match=f"ck_scores_{side}_range"):
            plant.conn.execute(
                text(
                    f"INSERT INTO scores (profile_version_id, alignment_id, utterance_no, batch_id, {side}_fear)"
                    " VALUES (:v, 1, 1, 1, 1.5)"
                ),
                {"v": version},
            )
        plant.conn.rollback()


# ----- roll-ups


def test_a_recording_without_utterances_is_rolled_up_as_scored(plant: Plant, version: int) -> None:
    recording = plant.recording()
    alignment = plant.alignment(recording, plant.file(plant.archive(), "a.wav", recording), [])
    plant.conn.execute(
        text("INSERT INTO recording_scores (alignment_id, profile_version_id) VALUES (:a, :v)"),
        {"a": alignment, "v": version},
    )

    roll_up(plant.conn, [alignment], version)

    (row,) = plant.rows("SELECT state, utterances, speech_s, label FROM recording_scores")
    assert row == {"state": "done", "utterances": 0, "speech_s": 0.0, "label": None}


def test_a_roll_up_touches_only_what_it_was_asked_for(plant: Plant, version: int) -> None:
    # Given two recordings and two versions, all pending
    other = plant.version(plant.profile("hub"), 1)
    archive, alignments = plant.archive(), []
    for name in ("a.wav", "b.wav"):
        recording = plant.recording()
        file = plant.file(archive, name, recording)
        alignments.append(plant.alignment(recording, file, [("Anna", 0.0, 1.0, None)]))
    for alignment in alignments:
        for chosen in (version, other):
            plant.score(alignment, chosen, 1, [[1.0, 0, 0, 0, 0, 0, 0]], state="pending")

    # When one of the four is rolled up
    roll_up(plant.conn, alignments[:1], version)

    # Then the others wait
    rows = plant.rows("SELECT alignment_id, profile_version_id FROM recording_scores WHERE state = 'done'")
    assert rows == [{"alignment_id": alignments[0], "profile_version_id": version}]


# ----- utterances


def test_text_is_stored_as_it_was_said(plant: Plant) -> None:
    # Given words that a format might trip over
    said = 'tab\t newline\n return\r backslash \\N \\. quote " comma, ñ 漢 😀'
    recording = plant.recording()
    file = plant.file(plant.archive(), "a.wav", recording)
    alignment = plant.alignment(recording, file, [("Anna", 0.0, 1.0, None)])
    (speaker,) = plant.rows("SELECT id FROM speakers")

    # When
    words = [[said, 0.5, 1.25, None], ["b", 1.25, 1.5, 0.75]]
    write_utterances(
        plant.conn, [(alignment, 1, speaker["id"], 0, 0.5, 1.5, said, "en", words, None, None, "no_phones")]
    )

    # Then
    (row,) = plant.rows("SELECT * FROM utterances WHERE utterance_no = 1")
    assert row == {
        "alignment_id": alignment,
        "utterance_no": 1,
        "speaker_id": speaker["id"],
        "channel": 0,
        "start_s": 0.5,
        "end_s": 1.5,
        "text": said,
        "language": "en",
        "words": words,
        "phones": None,
        "syllables": None,
        "quality": "no_phones",
    }


def test_characters_that_postgres_refuses_are_left_out(plant: Plant) -> None:
    recording = plant.recording()
    file = plant.file(plant.archive(), "a.wav", recording)
    alignment = plant.alignment(recording, file, [("Anna", 0.0, 1.0, "a\x00b \udce9")])

    write_utterances(
        plant.conn,
        [
            (
                alignment,
                1,
                plant.speaker("Anna"),
                None,
                0.0,
                1.0,
                None,
                None,
                [["a\x00b\udce9", 0.0, 1.0, 1.0]],
                None,
                None,
                None,
            )
        ],
    )

    first, second = plant.rows("SELECT text, words FROM utterances ORDER BY utterance_no")
    assert first["text"] == "ab ?"
    assert second["words"] == [["ab?", 0.0, 1.0, 1.0]]
