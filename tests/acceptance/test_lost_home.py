"""The data folder is lost: what a back-up brings back, and that work goes on from it."""

import shutil
from pathlib import Path

import pytest

from tests.acceptance.house import SAMPLES, House

pytestmark = pytest.mark.timeout(900)


def test_a_lost_home_comes_back_and_its_open_job_ends(tmp_path: Path) -> None:
    calls, more = tmp_path / "calls", tmp_path / "more"
    calls.mkdir()
    more.mkdir()
    for folder, name in ((calls, "appointment"), (more, "appointment"), (more, "lost-parcel"), (more, "bereavement")):
        for path in SAMPLES.glob(f"{name}.*"):
            shutil.copy(path, folder)
    house, place = House(tmp_path / "home"), tmp_path / "back-up"
    try:
        # Given a job that is done, and one that is being worked on while the back-up is made
        done = int(house.json("analyze", str(calls))["job_id"])
        scores = house.values(done)
        open_job = int(house.json("enqueue", str(more))["job_id"])
        running = "SELECT count(*) FROM stages WHERE job_id = :j AND state = 'running'"
        house.wait(lambda: house.one(running, j=open_job), "the second job is worked on")
        said = house.json("backup", str(place))
        assert house.one("SELECT state FROM jobs WHERE id = :j", j=open_job) == "running"
        assert said["rows"]["jobs"] == 2 and said["place"] == str(place)

        # When the home is lost,
        # with the database, which for root lies outside of it
        house.down()
        assert not (house.home / "postgres").resolve().exists()
        shutil.rmtree(house.home)
        refused = house.run("restore", str(tmp_path), code=1)
        assert "is no back-up" in refused.stderr
        house.run("restore", str(place))

        # Then scores are what they were, and what was open goes on
        assert house.values(done) == scores
        again = house.run("restore", str(place), code=1)
        assert "holds archives already" in again.stderr
        house.run("up")
        assert house.ended(open_job, 300) == "done"
        left = "SELECT count(*) FROM job_recordings WHERE job_id = :j AND state NOT IN ('done', 'failed')"
        assert house.one(left, j=open_job) == 0
        assert set(house.values(done).items()) == set(scores.items())
        assert len(house.values(open_job)) > len(scores)
    finally:
        house.down()
