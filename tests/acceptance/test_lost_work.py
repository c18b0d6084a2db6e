"""Workers die and Redis forgets: the job ends with the same rows as one that nothing happened to."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import soundfile

from ops.local import processes, servers
from tests.acceptance.house import House
from tests.acceptance.test_main_job import assert_one_root


@pytest.fixture
def other(tmp_path: Path) -> Iterator[House]:
    """A second home, so that nothing can be reused."""
    made = House(tmp_path / "other")
    made.run("up")
    yield made
    made.down()


def _worker(house: House, name: str) -> int:
    pid = processes.running(house.home / "run", name)
    assert pid is not None
    return pid


def _children(pid: int) -> list[int]:
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True).stdout
    return [int(word) for word in listed.split()]


def test_killed_workers_and_a_flushed_broker_change_no_value(
    house: House, other: House, archive: Path, analysed: dict[str, Any]
) -> None:
    """`kill -9` of the child that computes, then of a whole worker, then FLUSHALL, all in one run."""
    reference = house.values(int(analysed["job_id"]))
    job_id = other.json("enqueue", str(archive))["job_id"]

    # Given a batch in the middle of its computation, its process dies.
    running = "SELECT owner FROM stages WHERE state = 'running' AND batch_id IS NOT NULL AND job_id = :j"
    owner = other.wait(lambda: other.rows(running, j=job_id), "a batch runs")[0]["owner"]
    os.kill(int(owner.split("/")[2]), signal.SIGKILL)

    # Then everything of the align worker, which `tenor up` starts again.
    worker = _worker(other, "align")
    for pid in (*_children(worker), worker):
        os.kill(pid, signal.SIGKILL)
    other.run("up")

    # Then every message is gone while work is left.
    left = "SELECT 1 FROM stages WHERE state IN ('waiting', 'ready') AND job_id = :j LIMIT 1"
    if other.rows(left, j=job_id):
        other.redis().flushall()

    assert other.ended(job_id) == "done"
    values = other.values(job_id)
    assert values.keys() == reference.keys()
    for key, expected in reference.items():
        for value, wanted in zip(values[key], expected, strict=True):
            assert (value is None) == (wanted is None) and (value is None or abs(value - wanted) < 1e-6), key
    assert other.one("SELECT count(*) FROM stages WHERE state NOT IN ('done')") == 0
    twice = "SELECT count(*) FROM (SELECT 1 FROM scores GROUP BY alignment_id, utterance_no HAVING count(*) > 1) d"
    assert other.one(twice) == 0


def test_a_chain_sent_again_by_the_sweeper_keeps_its_root(other: House, archive: Path, tmp_path: Path) -> None:
    """A message lost before anybody read it: the sweeper's copy belongs to the same chain."""
    folder = tmp_path / "two calls"
    folder.mkdir()
    for name in ("appointment.ogg", "bereavement.ogg", "bereavement.txt"):
        shutil.copy(archive / name, folder)
    worker = _worker(other, "gpu")
    os.kill(worker, signal.SIGSTOP)
    try:
        job_id = other.json("enqueue", str(folder))["job_id"]
        ready = "SELECT id FROM stages WHERE stage = 'extract' AND state = 'ready' AND sent_at IS NOT NULL"
        other.wait(lambda: other.rows(ready), "a batch waits for the gpu worker")
        lost = other.redis()
        lost.flushall()
    finally:
        os.kill(worker, signal.SIGCONT)

    assert other.ended(job_id) == "done"
    assert_one_root(other, job_id)


def test_a_cancelled_job_stops_and_the_archive_can_be_enqueued_again(other: House, archive: Path) -> None:
    worker = _worker(other, "gpu")
    os.kill(worker, signal.SIGSTOP)
    try:
        job_id = other.json("enqueue", str(archive))["job_id"]
        other.wait(lambda: other.rows("SELECT 1 FROM batches"), "batches are cut")
        other.json("cancel", str(job_id))
        open_stages = "SELECT count(*) FROM stages WHERE state IN ('waiting', 'ready', 'running')"
        assert other.one(open_stages) == 0
        assert other.ended(job_id) == "cancelled"
    finally:
        os.kill(worker, signal.SIGCONT)

    again = other.json("analyze", str(archive))

    assert again["done"] == again["files"] - 1
    assert again["failed"] == 1


def test_a_paused_job_rests_while_another_is_done_and_then_goes_on(other: House, archive: Path, tmp_path: Path) -> None:
    held = other.json("enqueue", str(archive))["job_id"]
    other.wait(lambda: other.rows("SELECT 1 FROM batches WHERE job_id = :j", j=held), "the first batch is cut")

    assert other.json("pause", str(held)) == {"job_id": held, "paused": True}
    assert other.json("status", str(held))["state"] == "paused"

    # Another archive passes it by
    folder = tmp_path / "one call"
    folder.mkdir()
    samples, rate = soundfile.read(archive / "appointment.ogg")
    soundfile.write(folder / "another.flac", samples * 0.9, rate)
    assert other.json("analyze", str(folder))["done"] == 1
    open_files = "SELECT count(*) FROM job_recordings WHERE job_id = :j AND state IN ('aligning', 'scoring')"
    assert other.one(open_files, j=held) > 0
    assert other.one("SELECT count(*) FROM stages WHERE state = 'running' AND job_id = :j", j=held) == 0

    # and it goes on when it is told to.
    other.json("resume", str(held))
    assert other.ended(held) == "done"
    assert other.run("pause", str(held), code=1).stderr.count("is done")


def test_what_ends_by_itself_is_started_again(other: House, archive: Path, tmp_path: Path) -> None:
    # Given everything of a home killed, except who keeps it running
    run = other.home / "run"
    names = ("redis", "ingest", "align", "gpu", "maintenance", "beat", "flower")
    before = {name: processes.running(run, name) for name in names}
    postmaster = int((servers.postgres_of(other.home).data / "postmaster.pid").read_text().split()[0])
    for pid in (postmaster, *before.values()):
        assert pid is not None
        os.kill(pid, signal.SIGKILL)

    # Then all of it is there again, on the same ports
    def revived() -> bool:
        after = {name: processes.running(run, name) for name in names}
        return all(after.values()) and not set(after.values()) & set(before.values())

    other.wait(revived, "everything runs again", 60)
    folder = tmp_path / "one call"
    folder.mkdir()
    shutil.copy(archive / "appointment.ogg", folder)
    assert other.json("analyze", str(folder))["done"] == 1

    # and what is put down stays down.
    other.run("down")
    assert not any(processes.running(run, name) for name in (*names, "supervisor"))
