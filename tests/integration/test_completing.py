"""What the Tab key offers of what the database knows, and what `tenor status` says of what runs."""

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import text

from ops import jobs
from ops.cli import completing
from tests.integration.cli_world import Tenor, World, new_world


@pytest.fixture
def world(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A database with an archive and a profile, which the command knows of."""
    monkeypatch.setenv("TENOR_DATABASE_URL", database_url)
    with new_world(database_url) as made:
        yield made


def test_jobs_are_offered_newest_first_with_their_state(world: World) -> None:
    first, second = world.job(), world.job("cancelled")

    offered = completing.jobs("")

    assert [number for number, _ in offered[:2]] == [str(second), str(first)]
    assert offered[0][1].startswith("cancelled: ") and "/" not in offered[0][1]
    assert completing.jobs("9999") == []


def test_versions_are_those_of_the_profile_that_was_typed_or_of_the_job(world: World) -> None:
    job = world.job()
    with world.engine.connect() as conn:
        name = conn.execute(
            text("SELECT p.name FROM profiles p JOIN profile_versions v ON v.profile_id = p.id WHERE v.id = :v"),
            {"v": world.version_id},
        ).scalar_one()

    def offered(**typed: object) -> list[str]:
        context: Any = SimpleNamespace(params=typed)
        return [number for number, _ in completing.versions(context, "")]

    assert offered(profile=name) == ["1"]
    assert offered(job=job) == ["1"]
    assert offered(profile="another") == []
    assert (name, "used before") in completing.profiles(name[:8])


def test_analysed_recordings_are_offered_by_the_beginning_of_their_paths(world: World) -> None:
    job = world.job("done")
    for path, state in (("may/1.wav", "done"), ("may/2.wav", "failed"), ("june/1.wav", "done")):
        world.recording(job, state, path=path)

    assert [path for path, _ in completing.recordings("may/")] == ["may/1.wav"]
    assert [path for path, _ in completing.recordings("")] == ["june/1.wav", "may/1.wav"]


def test_status_says_what_runs_how_far_it_is_and_where_flower_shows_it(
    world: World, database_url: str, tmp_path: Path
) -> None:
    job = world.job(listed=False)
    world.ingest_stage(job, "running")
    with world.engine.begin() as conn:
        conn.execute(text("UPDATE stages SET progress = '1,200 files' WHERE job_id = :j"), {"j": job})
        (held,) = jobs.running(conn, job)
    (tmp_path / "tenor.toml").write_text('flower_url = "https://flower.example/"')
    tenor = Tenor(database_url, tmp_path)

    document = json.loads(tenor("status", str(job), "--json").stdout)
    shown = tenor("status", str(job)).stdout

    assert (held.stage, held.progress, held.host, held.recordings) == ("ingest", "1,200 files", "somebody", None)
    assert document["running"][0]["progress"] == "1,200 files"
    assert document["flower"] == f"https://flower.example/tasks?name=nothing%20OR%20kwargs:job={job}"
    assert document["flower"] in shown and "1,200 files" in shown
