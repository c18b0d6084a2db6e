"""The end of `tenor analyze`: what it prints and returns, on a real database whose job is done already."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ops import access, jobs
from ops.cli.main import app
from tests.integration.cli_world import World, new_world


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    with new_world(database_url) as made:
        yield made


class Analysis:
    """`tenor analyze` where services are the test's and the workers have done `job` before."""

    def __init__(self, archive: Path) -> None:
        self.archive = archive
        self.job = 0
        self.embedded = True

    def __call__(self, *options: str) -> Result:
        return CliRunner().invoke(app, ["analyze", str(self.archive), *options])


@pytest.fixture
def analysis(world: World, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Analysis:
    """Replaced are the processes that would be started, and the message that would be sent to them."""
    run = Analysis(tmp_path)

    def started(*_: object) -> access.Access:
        return access.Access(
            database_url,
            "postgresql+psycopg2://reader:secret@db/tenor",
            "redis://127.0.0.1:1/0",
            embedded=run.embedded,
        )

    monkeypatch.setenv("TENOR_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TENOR_DATABASE_URL", database_url)
    monkeypatch.setenv("TENOR_BROKER_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setattr(access, "start", started)
    monkeypatch.setattr(jobs, "enqueue", lambda *_: run.job)
    return run


def test_the_summary_counts_and_says_how_to_go_on(world: World, analysis: Analysis) -> None:
    # Given a job with one new and one reused recording
    analysis.job = world.job("done")
    world.recording(analysis.job, "done", seconds=90, utterances=12)
    world.recording(analysis.job, "done", seconds=60, utterances=8, reused=True)
    world.batch(analysis.job, seconds=60, utterances=12)

    # When it is analysed
    done = analysis()

    # Then
    assert done.exit_code == 0, done.output
    facts = dict(line.split(maxsplit=1) for line in done.stdout.splitlines()[:7])
    assert facts["recordings"] == "2"
    assert facts["analysed"] == "2 (1 of them before)"
    assert facts["utterances"] == "20"
    assert re.fullmatch(r"1:30 in [\d:]+, and 1:00 analysed before \(\d+\.\d × real time\)", facts["audio"])
    assert f"where job_id = {analysis.job}" in done.stdout
    assert "psql postgresql://reader:secret@db/tenor" in done.stdout
    assert "First score" in done.stderr


def test_with_json_standard_output_is_one_document(world: World, analysis: Analysis) -> None:
    analysis.job = world.job("done")
    world.recording(analysis.job, "done", utterances=12)
    world.recording(analysis.job, "failed", error=("audio_silent", "No speech."))

    done = analysis("--json")

    document = json.loads(done.stdout)
    assert (document["job_id"], document["done"], document["failed"]) == (analysis.job, 1, 1)
    assert document["first_score_s"] is None
    assert document["errors"]["by_code"] == {"audio_silent": 1}


def test_warnings_are_in_the_summary_and_in_the_document_also_when_nothing_failed(
    world: World, analysis: Analysis
) -> None:
    analysis.job = world.job("done")
    world.recording(analysis.job, "done", error=("transcript_mismatch", "It is not what is said."))
    world.problem(analysis.job, 2, "manifest_language")

    human, machine = analysis(), json.loads(analysis("--json").stdout)

    said = f"warnings    1 with warnings, 1 not followed in manifest or lists: `tenor errors {analysis.job}`"
    assert said in human.stdout
    assert (machine["warnings"], machine["manifest_problems"]) == (1, 1)
    assert [one["code"] for one in machine["errors"]["warnings"]] == ["transcript_mismatch"]
    assert [one["code"] for one in machine["errors"]["manifest"]] == ["manifest_language"]
    status = CliRunner().invoke(app, ["status", str(analysis.job)])
    assert said in status.stdout


def test_the_document_has_the_url_that_psql_takes_and_the_home(
    world: World, analysis: Analysis, tmp_path: Path
) -> None:
    analysis.job = world.job("done")
    world.recording(analysis.job, "done")

    document = json.loads(analysis("--json").stdout)

    assert document["analyst_url"] == "postgresql://reader:secret@db/tenor"
    assert document["home"] == str(tmp_path / "home")


def test_a_password_from_the_settings_is_not_repeated(world: World, analysis: Analysis) -> None:
    analysis.embedded = False
    analysis.job = world.job("done")
    world.recording(analysis.job, "done")

    human, machine = analysis(), analysis("--json")

    assert "psql postgresql://reader@db/tenor" in human.stdout
    assert "secret" not in human.output + machine.output


def test_failed_recordings_are_listed_and_are_an_exit_code_only_when_strict(world: World, analysis: Analysis) -> None:
    # Given eleven failures beside one result
    analysis.job = world.job("done")
    world.recording(analysis.job, "done")
    for _ in range(11):
        world.recording(analysis.job, "failed", error=("audio_unreadable", "It is corrupt."))

    # When
    lenient, strict = analysis(), analysis("--strict")

    # Then the first ten are listed
    assert (lenient.exit_code, strict.exit_code) == (0, 3)
    assert lenient.stdout.count("It is corrupt.") == 10
    assert f"1 more: tenor errors {analysis.job}" in lenient.stdout


def test_an_archive_in_which_nothing_is_readable_is_an_error(world: World, analysis: Analysis) -> None:
    analysis.job = world.job("done")
    world.recording(analysis.job, "failed", error=("audio_empty", "It has no samples."))

    done = analysis()

    assert done.exit_code == 1
    assert "The only recording could not be analysed." in done.stderr
    assert "It has no samples." in done.stdout


def test_a_job_whose_archive_failed_or_that_was_cancelled_is_an_error(world: World, analysis: Analysis) -> None:
    analysis.job = world.job("failed", error_code="archive_empty", error="The folder holds no audio. Give another.")
    failed = analysis("--json")
    analysis.job = world.job("cancelled")
    cancelled = analysis()

    assert (failed.exit_code, cancelled.exit_code) == (1, 1)
    assert json.loads(failed.stdout)["error"]["code"] == "archive_empty"
    assert failed.stderr.splitlines()[-1] == "Error: The folder holds no audio. Give another."
    assert "was cancelled" in cancelled.stderr
