"""The public views on recordings planted by hand: every expected number can be reckoned on paper."""

from pathlib import Path

import pytest
from sqlalchemy import text

from tests.integration.one_call import ANGRY, HAPPY, SAD, Call, versions
from tests.integration.planting import ABSENT, Plant, distribution

# ----- utterance_emotions


def test_an_utterance_has_its_time_speaker_text_and_all_three_sides(plant: Plant, call: Call) -> None:
    fused = [distribution(angry=0.7, sad=0.3), HAPPY, SAD]
    plant.score(call.alignment, call.version, call.batch, fused, quality=[None, "speech_only", None])

    first, second, _ = plant.rows("SELECT * FROM utterance_emotions ORDER BY utterance_no")

    assert {name: first[name] for name in ("profile", "version", "job_id", "archive", "recording_id", "recording")} == {
        "profile": "mini",
        "version": 1,
        "job_id": call.job,
        "archive": "/calls",
        "recording_id": call.recording,
        "recording": "a/one.wav",
    }
    assert first["metadata"] == {"agent": "7"}
    assert (first["language"], first["speaker"], first["text"]) == ("en", "Anna", "hello")
    assert (first["utterance_no"], first["start_s"], first["end_s"]) == (0, 0.0, 2.0)
    assert (first["label"], first["confidence"]) == ("angry", pytest.approx(0.7))
    assert (first["p_angry"], first["p_sad"], first["p_happy"]) == (pytest.approx(0.7), pytest.approx(0.3), 0.0)
    assert (first["speech_angry"], first["text_angry"]) == (pytest.approx(0.7), None)
    assert (first["quality"], second["quality"]) == (None, "speech_only")


def test_a_recording_shows_one_version_per_profile_and_the_champion_when_it_is_done(plant: Plant, call: Call) -> None:
    # Given a newer version that is no champion, and another profile
    newer = plant.version(call.profile, 2)
    other = plant.version(plant.profile("hub"), 1)
    plant.score(call.alignment, call.version, call.batch, [ANGRY] * 3)
    plant.score(call.alignment, newer, plant.batch(call.job, newer), [HAPPY] * 3)
    plant.score(call.alignment, other, plant.batch(call.job, other), [SAD] * 3)

    # Then the champion stands, beside the other profile
    assert [row[1:3] + row[4:] for row in versions(plant)] == [("hub", 1, "sad")] * 3 + [("mini", 1, "angry")] * 3

    # When the newer one is promoted
    plant.conn.execute(text("UPDATE profiles SET champion_id = :v WHERE id = :p"), {"v": newer, "p": call.profile})

    # Then it is shown at once
    assert [row[1:3] + row[4:] for row in versions(plant)] == [("hub", 1, "sad")] * 3 + [("mini", 2, "happy")] * 3


@pytest.mark.parametrize("state", ["pending", "failed"])
def test_a_champion_shows_only_when_it_has_scored_the_whole_recording(plant: Plant, call: Call, state: str) -> None:
    newer = plant.version(call.profile, 2, champion=True)
    plant.score(call.alignment, call.version, call.batch, [ANGRY] * 3)
    plant.score(call.alignment, newer, plant.batch(call.job, newer), [HAPPY] * 2, state=state)

    assert [row[2] for row in versions(plant)] == [1, 1, 1]


def test_without_a_done_champion_the_newest_version_shows(plant: Plant, call: Call) -> None:
    third = plant.version(call.profile, 3)
    second = plant.version(call.profile, 2)
    plant.conn.execute(text("UPDATE profiles SET champion_id = NULL"))
    for version in (call.version, third, second):
        plant.score(call.alignment, version, plant.batch(call.job, version), [ANGRY] * 3)

    assert [row[2] for row in versions(plant)] == [3, 3, 3]


def test_a_new_transcript_replaces_the_utterances_once_they_are_scored(plant: Plant, call: Call) -> None:
    plant.score(call.alignment, call.version, call.batch, [ANGRY] * 3)
    # Given the file's transcript has changed, and was aligned anew
    plant.conn.execute(text("UPDATE archive_files SET transcript_sha256 = 'new' WHERE id = :f"), {"f": call.file})
    alignment = plant.alignment(call.recording, call.file, [("Anna", 0.0, 9.0, "hi")], transcript="new")
    assert versions(plant) == []

    # When it is scored
    plant.score(alignment, call.version, call.batch, [HAPPY])

    # Then its utterances stand alone
    assert versions(plant) == [("a/one.wav", "mini", 1, 0, "happy")]
    assert plant.rows("SELECT text FROM utterance_emotions") == [{"text": "hi"}]


def test_of_alignments_with_different_options_the_newest_scored_one_shows(plant: Plant, call: Call) -> None:
    plant.score(call.alignment, call.version, call.batch, [ANGRY] * 3)
    scored = plant.alignment(call.recording, call.file, [("Anna", 0.0, 9.0, "hi")], options="split")
    plant.alignment(call.recording, call.file, [("Anna", 0.0, 8.0, "hi")], options="unscored")
    plant.score(scored, call.version, call.batch, [SAD])

    assert versions(plant) == [("a/one.wav", "mini", 1, 0, "sad")]


def test_a_content_at_two_paths_and_in_two_archives_appears_once_per_file(plant: Plant, call: Call) -> None:
    plant.file(call.archive, "b/copy.wav", call.recording)
    plant.file(plant.archive("/backup"), "one.wav", call.recording)
    plant.score(call.alignment, call.version, call.batch, [ANGRY] * 3)

    shown = plant.rows(
        "SELECT archive, recording, count(*) AS n, min(recording_id) AS id FROM utterance_emotions GROUP BY 1, 2"
    )

    assert sorted((row["archive"], row["recording"], row["n"], row["id"]) for row in shown) == [
        ("/backup", "one.wav", 3, call.recording),
        ("/calls", "a/one.wav", 3, call.recording),
        ("/calls", "b/copy.wav", 3, call.recording),
    ]


def test_files_of_one_content_with_different_transcripts_show_their_own(plant: Plant, call: Call) -> None:
    file = plant.file(call.archive, "b/copy.wav", call.recording, transcript="other")
    alignment = plant.alignment(call.recording, file, [("Anna", 0.0, 9.0, "hi")], transcript="other")
    plant.score(call.alignment, call.version, call.batch, [ANGRY] * 3)
    plant.score(alignment, call.version, call.batch, [SAD])

    assert [row[0] + " " + row[4] for row in versions(plant)] == ["a/one.wav angry"] * 3 + ["b/copy.wav sad"]


def test_the_measure_on_ravdess_counts_a_clip_in_two_archives_once(plant: Plant) -> None:
    # Given an angry clip heard as angry, twice in one archive and once in another, and a sad one heard as happy
    version = plant.version(plant.profile(), 1, champion=True)
    archives = [plant.archive("/ravdess"), plant.archive("/copy")]
    batch = plant.batch(plant.job(archives[0], version), version)
    for name, heard, copies in (("03-01-05-01-01-01-17.wav", ANGRY, 2), ("03-01-04-01-01-01-17.wav", HAPPY, 1)):
        recording = plant.recording(3.0)
        files = [plant.file(archive, f"Actor_17/{name}", recording) for archive in archives[:copies]]
        plant.file(archives[0], name, recording)
        plant.score(plant.alignment(recording, files[0], [("Anna", 0.0, 2.0, None)]), version, batch, [heard])

    found = plant.rows((Path(__file__).parents[2] / "ops/sql/ravdess_accuracy.sql").read_text())

    assert [(row["truth"], row["clips"], row["recall"]) for row in found] == [
        ("angry", 1, 1), ("sad", 1, 0), (None, 2, 0.5),
    ]  # fmt: skip


# ----- means


def test_a_conversation_is_the_mean_weighted_by_seconds(plant: Plant, call: Call) -> None:
    # Given 2 s angry, 4 s happy, 6 s half angry and half sad
    plant.score(call.alignment, call.version, call.batch, [ANGRY, HAPPY, distribution(angry=0.5, sad=0.5)])

    (row,) = plant.rows("SELECT * FROM conversation_emotions")

    assert row["p_angry"] == pytest.approx((2 + 3) / 12)
    assert row["p_happy"] == pytest.approx(4 / 12)
    assert row["p_sad"] == pytest.approx(3 / 12)
    assert row["p_fear"] == 0
    assert (row["label"], row["utterances"], row["speech_s"]) == ("angry", 3, 12)
    assert (row["speakers"], row["duration_s"], row["recording"]) == (2, 60, "a/one.wav")


def test_an_utterance_without_scores_does_not_weigh(plant: Plant, call: Call) -> None:
    plant.score(call.alignment, call.version, call.batch, [ANGRY, HAPPY, ABSENT])

    (conversation,) = plant.rows("SELECT p_angry, p_happy, utterances, speech_s FROM conversation_emotions")
    speakers = plant.rows("SELECT speaker, p_angry, label FROM speaker_emotions ORDER BY 1")

    assert conversation == {
        "p_angry": pytest.approx(2 / 6),
        "p_happy": pytest.approx(4 / 6),
        "utterances": 3,
        "speech_s": 12,
    }
    assert speakers == [
        {"speaker": "Anna", "p_angry": 1, "label": "angry"},
        {"speaker": "Ben", "p_angry": 0, "label": "happy"},
    ]


def test_a_recording_none_of_whose_utterances_has_scores_has_no_label(plant: Plant, call: Call) -> None:
    plant.score(call.alignment, call.version, call.batch, [ABSENT] * 3)

    for view in ("conversation_emotions", "speaker_emotions", "emotion_timeline"):
        rows = plant.rows(f"SELECT DISTINCT label, p_angry FROM {view}")
        assert rows == [{"label": None, "p_angry": None}], view
    assert {row[4] for row in versions(plant)} == {None}


def test_classes_outside_a_profile_are_unknown_not_zero(plant: Plant, call: Call) -> None:
    nan = float("nan")
    plant.score(call.alignment, call.version, call.batch, [[0.4, 0.6, nan, nan, nan, nan, nan]] * 3)

    for view in ("utterance_emotions", "conversation_emotions", "speaker_emotions", "emotion_timeline"):
        row = plant.rows(f"SELECT p_happy, p_sad, label FROM {view} LIMIT 1")[0]
        assert row == {"p_happy": pytest.approx(0.6), "p_sad": None, "label": "happy"}, view


def test_each_speaker_has_means_of_their_own(plant: Plant, call: Call) -> None:
    plant.score(call.alignment, call.version, call.batch, [ANGRY, HAPPY, SAD])

    anna, ben = plant.rows("SELECT * FROM speaker_emotions ORDER BY speaker")

    assert (anna["speaker"], anna["utterances"], anna["speech_s"], anna["label"]) == ("Anna", 2, 8, "sad")
    assert (anna["p_angry"], anna["p_happy"], anna["p_sad"]) == (0.25, 0, 0.75)
    assert (ben["speaker"], ben["utterances"], ben["speech_s"], ben["label"]) == ("Ben", 1, 4, "happy")


def test_the_timeline_shares_an_utterance_among_the_bins_it_overlaps(plant: Plant, call: Call) -> None:
    # Given Anna from 0 to 2 s angry and from 8 to 14 s sad, Ben from 3 to 7 s happy
    plant.score(call.alignment, call.version, call.batch, [ANGRY, HAPPY, SAD])

    rows = plant.rows(
        "SELECT speaker, bin_start_s, bin_end_s, speech_s, p_angry, p_sad, label FROM emotion_timeline"
        " ORDER BY speaker, bin_start_s"
    )

    # Then 2 of her 6 s fall into the first bin, the other 4 into the second
    assert [tuple(row.values()) for row in rows] == [
        ("Anna", 0, 10, 4, 0.5, 0.5, "angry"),
        ("Anna", 10, 20, 4, 0, 1, "sad"),
        ("Ben", 0, 10, 4, 0, 0, "happy"),
    ]


def test_an_utterance_that_ends_where_a_bin_begins_is_not_in_it(plant: Plant, call: Call) -> None:
    spoken = [("Anna", 10.0, 20.0, None), ("Ben", 5.0, 35.0, None)]
    alignment = plant.alignment(call.recording, call.file, spoken, options="edges")
    plant.score(alignment, call.version, call.batch, [ANGRY, SAD])

    rows = plant.rows("SELECT speaker, bin_start_s, speech_s FROM emotion_timeline ORDER BY 1, 2")

    assert [tuple(row.values()) for row in rows] == [
        ("Anna", 10, 10),
        ("Ben", 0, 5),
        ("Ben", 10, 10),
        ("Ben", 20, 10),
        ("Ben", 30, 5),
    ]
