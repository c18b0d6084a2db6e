"""A new version over one that works on a job."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from db.migrate import head
from ops.local import processes
from ops.local.programs import WORKERS
from tests.acceptance.house import ROOT, SAMPLES, House

pytestmark = pytest.mark.timeout(900)

NEXT = '''"""A change to tables that workers use all the time."""

import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = "9999", "{before}", None, None


def upgrade() -> None:
    op.add_column("stages", sa.Column("note", sa.Text(), nullable=False, server_default="as before"))
    op.create_index("ix_stages_note", "stages", ["note"])


def downgrade() -> None:
    op.drop_column("stages", "note")
'''


@dataclass
class Installation(House):
    """The same home, seen by the code of another folder."""

    code: Path = ROOT

    def environment(self) -> dict[str, str]:
        return {**super().environment(), "PYTHONPATH": str(self.code)}

    def upgrade(self) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command("upgrade"), env=self.environment(), cwd=self.code, capture_output=True, text=True, timeout=600
        )


def next_version(folder: Path) -> Path:
    """The code of this checkout with one more migration and a view with one more column."""
    folder.mkdir()
    for package in ("db", "migrations", "ops", "workers"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "ml").symlink_to(ROOT / "ml")
    (folder / "migrations" / "versions" / "9999_next.py").write_text(NEXT.format(before=head()))
    view = folder / "db" / "views" / "job_progress.sql"
    view.write_text(view.read_text() + "\n-- The next version's.\n")
    # What workers run is newer than what they were started with.
    os.utime(folder / "workers" / "app.py")
    return folder


def test_a_job_goes_on_over_an_upgrade_and_keeps_its_version(tmp_path: Path) -> None:
    archive = tmp_path / "calls"
    archive.mkdir()
    for name in ("lost-parcel", "bereavement", "prize-refund", "voicemail"):
        for path in SAMPLES.glob(f"{name}.*"):
            shutil.copy(path, archive)
    house = House(tmp_path / "home")
    newer = Installation(house.home, code=next_version(tmp_path / "next"))
    try:
        # Given workers of this version, half way through a job
        house.run("up")
        job = int(house.json("enqueue", str(archive))["job_id"])
        done = "SELECT count(*) FROM stages WHERE job_id = :j AND state = 'done' AND batch_id IS NOT NULL"
        house.wait(lambda: house.one(done, j=job), "something is scored", 300)
        pids = {name: processes.running(house.home / "run", name) for name in WORKERS}
        version = house.one("SELECT profile_version_id FROM jobs WHERE id = :j", j=job)

        # When the next version is installed over them
        said = newer.upgrade()

        # Then it is at its schema, every worker is another process, and nothing of the job is lost
        assert said.returncode == 0, said.stderr + house.logs()
        assert said.stdout.startswith(f"Schema 9999, was {head()}. Restarted: ")
        assert house.one("SELECT version_num FROM alembic_version") == "9999"
        for name, pid in pids.items():
            assert processes.running(house.home / "run", name) not in (None, pid)
        assert house.ended(job, 400) == "done"
        left = "SELECT state, count(*) AS n FROM job_recordings WHERE job_id = :j GROUP BY 1 ORDER BY 1"
        assert house.rows(left, j=job) == [{"state": "done", "n": 3}, {"state": "failed", "n": 1}]
        assert house.one("SELECT DISTINCT profile_version_id FROM scores") == version
        assert house.one("SELECT count(DISTINCT note) FROM stages") == 1

        # And doing it again does nothing
        assert "Every process runs this version" in newer.upgrade().stdout
    finally:
        house.down()
