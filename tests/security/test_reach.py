"""What an archive may lead to: nothing outside of the allowed roots, by whatever way it is named."""

import shutil
from pathlib import Path

import pytest

from tests.integration.walking import Walker
from workers import context

OUTSIDE = "link_leads_out"


@pytest.fixture
def fenced(walker: Walker, calls: Path, monkeypatch: pytest.MonkeyPatch) -> Walker:
    """Workers that may read the folder `calls` alone."""
    settings = walker.settings.model_copy(update={"allowed_roots": str(calls)})
    monkeypatch.setattr(context, "settings", lambda: settings)
    return Walker(walker.engine, settings)


@pytest.fixture
def secret(calls: Path, tmp_path: Path) -> Path:
    """A recording and its transcript that lie elsewhere."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    shutil.copy(next(calls.glob("*.wav")), folder / "secret.wav")
    (folder / "secret.txt").write_text("0.0 1.0 [Ann] nobody should read this\n")
    return folder


def test_links_within_the_archive_are_followed(fenced: Walker, calls: Path) -> None:
    (calls / "again.wav").symlink_to(calls / "a.wav")

    files = fenced.files(fenced.walk(calls))

    assert files["again.wav"]["error_code"] is None


def test_a_recording_that_is_a_link_to_elsewhere_is_not_read(fenced: Walker, calls: Path, secret: Path) -> None:
    (calls / "z.wav").symlink_to(secret / "secret.wav")
    (calls / "y.wav").symlink_to(Path("..") / secret.name / "secret.wav")

    files = fenced.files(fenced.walk(calls))

    assert {name: row["error_code"] for name, row in files.items() if name in ("y.wav", "z.wav")} == {
        "y.wav": OUTSIDE,
        "z.wav": OUTSIDE,
    }
    assert files["a.wav"]["error_code"] is None


def test_a_transcript_that_is_a_link_to_elsewhere_is_not_read(fenced: Walker, calls: Path, secret: Path) -> None:
    (calls / "a.txt").symlink_to(secret / "secret.txt")

    (row,) = [row for name, row in fenced.files(fenced.walk(calls)).items() if name == "a.wav"]

    assert row["error_code"] == OUTSIDE and row["transcript_path"] is None


def test_a_list_of_transcripts_that_is_a_link_to_elsewhere_is_not_read(
    fenced: Walker, calls: Path, secret: Path
) -> None:
    (secret / "trans.txt").write_text("a.wav\tnobody should read this\n")
    (calls / "trans.txt").symlink_to(secret / "trans.txt")

    (row,) = [row for name, row in fenced.files(fenced.walk(calls)).items() if name == "a.wav"]

    assert row["error_code"] == OUTSIDE


def test_a_manifest_leads_to_no_transcript_outside(fenced: Walker, calls: Path, secret: Path) -> None:
    shutil.copy(secret / "secret.txt", calls.parent / "secret.txt")
    (calls / "manifest.csv").write_text("path,transcript\na.wav,../secret.txt\n")

    job = fenced.walk(calls)

    assert fenced.files(job)["a.wav"]["transcript_path"] is None
    problems = fenced.rows("SELECT code FROM manifest_problems WHERE job_id = :j", j=job)
    assert [row["code"] for row in problems] == ["manifest_transcript"]


def test_a_manifest_that_is_a_link_to_elsewhere_is_not_read(fenced: Walker, calls: Path, secret: Path) -> None:
    (secret / "manifest.csv").write_text("path,text\na.wav,nobody should read this\n")
    (calls / "manifest.csv").symlink_to(secret / "manifest.csv")

    job = fenced.walk(calls)

    (row,) = fenced.rows("SELECT error_code FROM stages WHERE job_id = :j AND stage = 'ingest'", j=job)
    assert row["error_code"] == "manifest_unreadable"


def test_without_roots_every_folder_that_workers_can_read_is_allowed(walker: Walker, calls: Path, secret: Path) -> None:
    (calls / "z.wav").symlink_to(secret / "secret.wav")

    assert walker.files(walker.walk(calls))["z.wav"]["error_code"] is None
