"""The file whose age tells a health check that a process hears Redis."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from workers import pulse

PROGRAM = """
from pathlib import Path
from celery import signals
import workers.app
file = Path({file!r})
signals.after_task_publish.send(sender="maintenance.sweep")
assert not file.exists(), "a worker that sends is not one that hears"
signals.{first}.send(sender=None)
signals.{then}.send(sender=None)
assert file.exists()
"""


@pytest.mark.parametrize(("first", "then"), [("worker_init", "heartbeat_sent"), ("beat_init", "after_task_publish")])
def test_a_workers_heartbeat_and_what_beat_sends_touch_the_file(tmp_path: Path, first: str, then: str) -> None:
    file = tmp_path / "pulse"
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(file=str(file), first=first, then=then)],
        env={**os.environ, "TENOR_PULSE_FILE": str(file), "TENOR_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_the_file_becomes_young_again_and_a_full_disk_ends_nothing(tmp_path: Path) -> None:
    file = tmp_path / "pulse"
    file.touch()
    os.utime(file, (0, 0))

    pulse.touch(file)
    pulse.touch(tmp_path / "no such folder" / "pulse")
    pulse.touch(None)

    assert file.stat().st_mtime > 1_000_000
