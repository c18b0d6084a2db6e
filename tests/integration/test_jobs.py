"""Jobs as the command shows them, read from a real Postgres that holds jobs in every state."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from db.errors import NotFound
from ops import jobs
from tests.integration.cli_world import Tenor, World, new_world


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    with new_world(database_url) as made:
        yield made


@pytest.fixture
def tenor(database_url: str, tmp_path: Path) -> Tenor:
    return Tenor(database_url, tmp_path)


def test_counters_tell_new_from_reused_and_count_the_ready_part_of_open_recordings(world: World) -> None:
    # Given a job with two recordings reused, one new, one failed, one that is half scored
    job = world.job()
    for _ in range(2):
        world.recording(job, "done", seconds=100, utterances=7, reused=True)
    world.recording(job, "done", seconds=50, utterances=5)
    world.recording(job, "failed", error=("audio_silent", "No speech."))
    world.recording(job, "scoring", seconds=1000)
    world.batch(job, seconds=40, utterances=5)
    world.batch(job, seconds=400, utterances=90)
    world.batch(job, seconds=300, utterances=70, state="cancelled")

    # When it is looked at
    with world.engine.connect() as conn:
        status = jobs.status(conn, job)

    # Then
    assert (status.files, status.done, status.failed, status.reused, status.open) == (5, 3, 1, 2, 1)
    assert status.utterances == 14 + 95
    assert status.audio_s == 1250.0
    assert status.analysed_s == 440.0


def test_while_the_archive_is_being_listed_the_files_seen_so_far_are_shown(world: World) -> None:
    job = world.job(listed=False, files_seen=120)

    with world.engine.connect() as conn:
        status = jobs.status(conn, job)

    assert (status.files, status.listed) == (120, False)


def test_an_unknown_job_is_named(world: World, tenor: Tenor) -> None:
    with world.engine.connect() as conn, pytest.raises(NotFound):
        jobs.status(conn, 2_000_000_000)

    for command in ("status", "errors"):
        done = tenor(command, "2000000000")
        assert done.returncode == 1
        assert done.stderr == "Error: There is no job 2000000000. `tenor status` lists the jobs there are.\n"


def test_the_newest_jobs_come_first(world: World, tenor: Tenor) -> None:
    first, second = world.job(), world.job("cancelled")

    listed = json.loads(tenor("status", "--json", "--limit", "2").stdout)

    assert [(job["job_id"], job["state"]) for job in listed] == [(second, "cancelled"), (first, "running")]


def test_status_of_one_job_shows_what_is_left_of_its_stages(world: World, tenor: Tenor) -> None:
    job = world.job(listed=False)
    world.ingest_stage(job, "running")

    document = json.loads(tenor("status", str(job), "--json").stdout)
    table = tenor("status", str(job)).stdout

    assert document["stages"] == [{"stage": "ingest", "waiting": 0, "ready": 0, "running": 1, "dead": 0}]
    assert "ingest" in table


def test_errors_are_listed_by_path_and_counted_by_kind(world: World, tenor: Tenor) -> None:
    # Given a job with three failures, a warning, and work that was given up
    job = world.job("done")
    world.recording(job, "failed", path=f"b[/bold]{job}.wav", error=("audio_unreadable", "It is corrupt."))
    world.recording(job, "failed", path=f"a {job}.wav", error=("audio_empty", "It has no samples."))
    world.recording(job, "failed", path=f"c {job}.wav", error=("audio_empty", "It has no samples."))
    world.recording(job, "done", path=f"d {job}.wav", error=("transcript_mismatch", "Line 3 does not fit."))
    world.ingest_stage(job, "dead")

    # When they are listed
    document = json.loads(tenor("errors", str(job), "--json", "--limit", "2").stdout)
    table = tenor("errors", str(job), "--limit", "2").stdout

    # Then the first ones are there, and the counts are of all
    assert document["by_code"] == {"audio_empty": 2, "audio_unreadable": 1}
    assert [one["path"] for one in document["recordings"]] == [f"a {job}.wav", f"b[/bold]{job}.wav"]
    assert document["warned"] == 1
    assert [one["code"] for one in document["dead"]] == ["MemoryError"]
    assert f"b[/bold]{job}.wav" in table
    assert f"1 more: tenor errors {job} --limit 0" in table
    assert f"tenor retry {job}" in table


def test_a_job_without_errors_says_so_and_prints_nothing(world: World, tenor: Tenor) -> None:
    job = world.job("done")

    done = tenor("errors", str(job))

    assert (done.returncode, done.stdout) == (0, "")
    assert "Nothing failed" in done.stderr
