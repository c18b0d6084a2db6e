"""The whole corpus and a healthy archive through the real pipeline: each file's outcome in SQL, and nobody harmed."""

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.local import processes
from ops.local.programs import WORKERS
from tests.acceptance.house import SAMPLES, House
from tests.hostile.conftest import Outcomes
from tests.hostile.corpus import write_corpus

HEALTHY = ("appointment", "bereavement")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    made = House(tmp_path_factory.mktemp("hostile-home") / "home", {"TENOR_BATCH_S": "60"})
    made.run("up")
    yield made
    made.down()


def test_hostile_files_end_by_name_and_their_neighbours_are_analysed(house: House, tmp_path: Path) -> None:
    # Given the corpus with two healthy calls in it, and those two alone
    alone, mixed = tmp_path / "alone", tmp_path / "mixed"
    alone.mkdir()
    for name in HEALTHY:
        for file in SAMPLES.glob(f"{name}.*"):
            shutil.copy(file, alone)
    expected: Outcomes = write_corpus(mixed)
    for file in alone.iterdir():
        shutil.copy(file, mixed)
    before = _workers(house)

    # When the hostile ones are analysed first
    result = house.json("analyze", str(mixed))

    # Then each has its outcome, as the command and the database say it
    listed = house.json("errors", str(result["job_id"]), "--limit", "0")
    said = {item["path"]: item["code"] for item in (*listed["recordings"], *listed["warnings"])}
    rows = house.rows(
        """
        SELECT f.path, r.state, r.error_code, r.error FROM job_recordings r JOIN archive_files f ON f.id = r.file_id
         WHERE r.job_id = :job
        """,
        job=result["job_id"],
    )
    wrong = {}
    for row in rows:
        got = row["error_code"] if row["state"] == "failed" else row["state"]
        if row["state"] == "done" and row["error_code"]:
            got = f"done:{row['error_code']}"
        if row["path"].removesuffix(".ogg") in HEALTHY:
            assert got == "done"
        elif got not in expected[row["path"]]:
            wrong[row["path"]] = (got, expected[row["path"]])
        if row["error_code"]:
            assert said[row["path"]] == row["error_code"]
            assert row["error"] and "charged" not in row["error"]
    assert not wrong
    assert len(rows) == len(expected) + len(HEALTHY)
    # and no worker ended over it.
    assert _workers(house) == before

    # And the healthy ones have the values that they have alone.
    values = house.values(result["job_id"])
    house_alone = House(tmp_path / "alone-home", {"TENOR_BATCH_S": "60"})
    try:
        reference = house_alone.values(house_alone.json("analyze", str(alone))["job_id"])
    finally:
        house_alone.down()
    assert len(reference) > 10
    for key, wanted in reference.items():
        for value, other in zip(values[key], wanted, strict=True):
            assert (value is None) == (other is None) and (value is None or abs(value - other) < 1e-6), key


def test_a_file_that_is_changed_or_removed_after_enqueueing_fails_by_name(house: House, tmp_path: Path) -> None:
    # Given three calls that are enqueued while nobody aligns
    folder = tmp_path / "calls"
    folder.mkdir()
    for number, name in enumerate(("changed.ogg", "removed.ogg", "kept.ogg")):
        shutil.copy(SAMPLES / f"{('lost-parcel', 'scam-worry', 'holiday-booking')[number]}.ogg", folder / name)
    house.run("down")
    house.run("up")
    pid = processes.running(house.home / "run", "align")
    assert pid is not None
    os.killpg(pid, signal.SIGSTOP)
    try:
        job = house.json("enqueue", str(folder))["job_id"]
        house.wait(lambda: house.rows("SELECT 1 FROM jobs WHERE id = :j AND ingested_at IS NOT NULL", j=job), "walked")
        shutil.copy(SAMPLES / "prize-refund.ogg", folder / "changed.ogg")
        (folder / "removed.ogg").unlink()
    finally:
        os.killpg(pid, signal.SIGCONT)

    # Then each of the two says what happened, and the third is done
    assert house.ended(job) == "done"
    listed = house.json("errors", str(job))
    assert {item["path"]: item["code"] for item in listed["recordings"]} == {
        "changed.ogg": "recording_changed",
        "removed.ogg": "audio_missing",
    }

    # And when the file is back and the archive is enqueued again, it is analysed.
    shutil.copy(SAMPLES / "scam-worry.ogg", folder / "removed.ogg")
    again = house.json("analyze", str(folder))
    assert (again["done"], again["failed"]) == (3, 0)


def _workers(house: House) -> dict[str, int | None]:
    return {name: processes.running(house.home / "run", name) for name in WORKERS}
