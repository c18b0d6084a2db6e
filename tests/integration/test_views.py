"""The public views on recordings planted by hand: every expected number can be reckoned on paper."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from db.engine import make_engine
from tests.integration.planting import ABSENT, Plant, distribution

ANGRY, HAPPY, SAD = distribution(angry=1.0), distribution(happy=1.0), distribution(sad=1.0)


@pytest.fixture
def plant(database_url: str) -> Iterator[Plant]:
    """As workers write, in one transaction that is never committed."""
    with make_engine(database_url).connect() as conn:
        yield Plant(conn)


@dataclass
class Call:
    """One call in one archive, aligned, and a job with a batch to score it in."""

    archive: int
    recording: int
    file: int
    alignment: int
    profile: int
    version: int
    job: int
    batch: int


@pytest.fixture
def call(plant: Plant) -> Call:
    """Anna speaks 2 s and 6 s, Ben speaks 4 s in between."""
    profile = plant.profile()
    version = plant.version(profile, 1, champion=True)
    archive = plant.archive()
    recording = plant.recording(60.0)
    file = plant.file(archive, "a/one.wav", recording, metadata='{"agent": "7"}')
    spoken = [("Anna", 0.0, 2.0, "hello"), ("Ben", 3.0, 7.0, "what is it"), ("Anna", 8.0, 14.0, "you know that")]
    alignment = plant.alignment(recording, file, spoken)
    job = plant.job(archive, version)
    return Call(archive, recording, file, alignment, profile, version, job, plant.batch(job, version))


def versions(plant: Plant) -> list[tuple[Any, ...]]:
    """(recording, profile, version, utterance, label) as the public view has them."""
    return [
        tuple(row.values())
        for row in plant.rows(
            "SELECT recording, profile, version, utterance_no, label FROM utterance_emotions"
            " ORDER BY recording, profile, utterance_no"
        )
    ]


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


# ----- job_emotions and job_progress


def test_a_job_shows_what_it_scored_and_what_it_reused(plant: Plant, call: Call) -> None:
    # Given a first job that scored a call
    plant.score(call.alignment, call.version, call.batch, [ANGRY] * 3)
    plant.link(
        call.job,
        call.file,
        "done",
        recording_id=call.recording,
        alignment_id=call.alignment,
        profile_version_id=call.version,
    )
    # When a second job, pinned to a newer version, reuses it and fails on another file
    newer = plant.version(call.profile, 2, champion=True)
    again = plant.job(call.archive, newer)
    broken = plant.file(call.archive, "broken.wav", None)
    plant.link(
        again,
        call.file,
        "done",
        recording_id=call.recording,
        alignment_id=call.alignment,
        profile_version_id=call.version,
        reused=True,
    )
    plant.link(again, broken, "failed", error_code="audio_unreadable", error="It is corrupt.")

    # Then both show the same utterances, and the failed file none
    for job in (call.job, again):
        shown = plant.rows("SELECT version, recording, p_angry FROM job_emotions WHERE job_id = :j", j=job)
        assert shown == [{"version": 1, "recording": "a/one.wav", "p_angry": 1.0}] * 3


def test_job_emotions_and_utterance_emotions_have_the_same_columns(plant: Plant) -> None:
    both = [
        list(plant.conn.execute(text(f"SELECT * FROM {view}")).keys())
        for view in ("utterance_emotions", "job_emotions")
    ]
    assert both[0] == both[1]


def test_utterances_of_a_recording_that_a_job_still_scores_are_not_shown(plant: Plant, call: Call) -> None:
    plant.score(call.alignment, call.version, call.batch, [ANGRY] * 2, state="pending")
    plant.link(
        call.job,
        call.file,
        "scoring",
        recording_id=call.recording,
        alignment_id=call.alignment,
        profile_version_id=call.version,
    )

    assert plant.rows("SELECT * FROM job_emotions") == []
    assert plant.rows("SELECT * FROM utterance_emotions") == []


def test_progress_counts_files_audio_and_utterances(plant: Plant, call: Call) -> None:
    plant.score(call.alignment, call.version, call.batch, [ANGRY] * 3)
    done = {"alignment_id": call.alignment, "profile_version_id": call.version}
    plant.link(call.job, call.file, "done", recording_id=call.recording, reused=True, **done)
    copy = plant.file(call.archive, "copy.wav", call.recording)
    plant.link(call.job, copy, "done", recording_id=call.recording, error_code="transcript_mismatch", **done)
    for state, seconds in (("aligning", 30.0), ("scoring", 40.0), ("cancelled", 50.0), ("failed", 70.0)):
        recording = plant.recording(seconds)
        plant.link(call.job, plant.file(call.archive, state, recording), state, recording_id=recording)

    (progress,) = plant.rows("SELECT * FROM job_progress")

    expected = {
        "job_id": call.job,
        "archive": "/calls",
        "profile": "mini",
        "version": 1,
        "state": "running",
        "listed": False,
        "files": 6,
        "done": 2,
        "failed": 1,
        "cancelled": 1,
        "open": 2,
        "reused": 1,
        "warnings": 1,
        "audio_s": 60 + 60 + 30 + 40 + 50,
        "audio_done_s": 120,
        "utterances": 6,
        "finished_at": None,
    }
    assert {name: progress[name] for name in expected} == expected
    assert 0 <= progress["elapsed_s"] < 60


def test_a_job_without_files_yet_has_progress_too(plant: Plant, call: Call) -> None:
    (progress,) = plant.rows("SELECT files, done, audio_s, utterances FROM job_progress")

    assert progress == {"files": 0, "done": 0, "audio_s": 0, "utterances": 0}


def test_the_clock_of_a_finished_job_stands_still(plant: Plant, call: Call) -> None:
    plant.conn.execute(text("UPDATE jobs SET state = 'done', finished_at = created_at + interval '90 seconds'"))

    assert plant.rows("SELECT elapsed_s FROM job_progress") == [{"elapsed_s": 90}]


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


# ----- stage_backlog


def test_the_backlog_counts_open_and_dead_stages(plant: Plant, call: Call) -> None:
    root = "00000000-0000-0000-0000-000000000001"
    plant.row("stages", stage="ingest", job_id=call.job, state="done", root_id=root)
    for state, more in (
        ("ready", {"ready_at": "now() - interval '90 s'"}),
        ("ready", {"ready_at": "now() - interval '30 s'"}),
        ("waiting", {}),
        ("dead", {}),
        ("running", {"lease_until": "now() + interval '90 s'", "owner": "'host'"}),
        ("running", {"lease_until": "now() - interval '1 s'", "owner": "'host'"}),
    ):
        batch = plant.batch(call.job, call.version)
        columns, values = "".join(f", {name}" for name in more), "".join(f", {value}" for value in more.values())
        plant.conn.execute(
            text(
                f"INSERT INTO stages (stage, job_id, batch_id, state, root_id{columns})"
                f" VALUES ('ser', :job, :batch, :state, :root{values})"
            ),
            {"job": call.job, "batch": batch, "state": state, "root": root},
        )

    (row,) = plant.rows("SELECT * FROM stage_backlog")

    assert row == {
        "stage": "ser",
        "waiting": 1,
        "ready": 2,
        "running": 2,
        "dead": 1,
        "expired_leases": 1,
        "oldest_ready_s": pytest.approx(90, abs=5),
    }
