"""The views of jobs on recordings planted by hand: what is scored and reused, how far it is, what is left."""

import pytest
from sqlalchemy import text

from tests.integration.one_call import ANGRY, Call
from tests.integration.planting import Plant


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
        "audio_s": 5.0,
    }
