"""Walking an archive that is packed: what ingest writes, and where align reads."""

import shutil
import zipfile
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.integration.walking import Walker
from tests.unit.silence import write_silence
from workers.archives import roots
from workers.archives.packed import Store


def manifest(folder: Path, *lines: str) -> None:
    (folder / "manifest.csv").write_text(
        "path,transcript,language,speaker,dialogue,recorded_at,agent\n" + "\n".join(lines)
    )


def pack(folder: Path, packed: Path, top: str = "") -> Path:
    with zipfile.ZipFile(packed, "w") as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, top + path.relative_to(folder).as_posix())
    return packed


def test_a_zip_file_is_walked_like_its_folder(walker: Walker, calls: Path, tmp_path: Path) -> None:
    manifest(calls, "a.wav,all.txt,pl,Ruth,,,7")
    folder = walker.files(walker.walk(calls))

    job = walker.walk(pack(calls, tmp_path / "calls.zip"))

    packed = walker.files(job)
    # The same contents with the same options: nothing is aligned again.
    assert {path: row["alignment_id"] for path, row in packed.items()} == {
        path: row["alignment_id"] for path, row in folder.items()
    }
    (archive,) = walker.rows("SELECT a.url FROM archives a JOIN jobs j ON j.archive_id = a.id WHERE j.id = :j", j=job)
    assert archive["url"] == str(tmp_path / "calls.zip")


def test_align_reads_from_where_it_was_unpacked_and_unpacks_again_what_was_removed(
    walker: Walker, calls: Path, tmp_path: Path
) -> None:
    (calls / "a.txt").write_text("words")
    job = walker.walk(pack(calls, tmp_path / "calls.zip"))

    for _ in range(2):
        members = walker.members(job)
        assert len(members) == 3
        for member in members:
            assert member.audio.is_file() and walker.settings.unpacked in member.audio.parents
        assert [member.transcript.read_text() for member in members if member.transcript] == ["words"]
        shutil.rmtree(walker.settings.unpacked)


def test_the_same_zip_again_is_not_unpacked_again_and_a_changed_one_is(
    walker: Walker, calls: Path, tmp_path: Path
) -> None:
    packed = pack(calls, tmp_path / "calls.zip", top="calls/")
    first = walker.files(walker.walk(packed))
    assert list(first) == ["calls/a.wav", "calls/b.wav", "calls/sub/c.wav"]
    written = {path: path.stat().st_mtime_ns for path in walker.settings.unpacked.rglob("*.wav")}

    again = walker.files(walker.walk(packed))
    assert again == first
    assert {path: path.stat().st_mtime_ns for path in walker.settings.unpacked.rglob("*.wav")} == written

    # When one content of the same size and date takes another's place
    write_silence(calls / "a.wav", level=77)
    pack(calls, packed, top="calls/")
    changed = walker.files(walker.walk(packed))
    assert changed["calls/a.wav"]["alignment_id"] != first["calls/a.wav"]["alignment_id"]
    assert changed["calls/b.wav"]["alignment_id"] == first["calls/b.wav"]["alignment_id"]


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [("calls.zip", b"no zip", "archive_broken"), ("calls.tar.gz", b"", "archive_broken")],
)
def test_an_archive_that_cannot_be_unpacked_fails_the_job_at_once(
    walker: Walker, tmp_path: Path, name: str, content: bytes, code: str
) -> None:
    (tmp_path / name).write_bytes(content)

    state, found, error = walker.failure(walker.walk(tmp_path / name))

    assert (state, found) == ("failed", code)
    assert name in error


def test_a_zip_without_recordings_says_so(walker: Walker, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "notes.zip", "w") as archive:
        archive.writestr("notes.txt", "nothing to hear")

    state, code, error = walker.failure(walker.walk(tmp_path / "notes.zip"))

    assert (state, code) == ("failed", "archive_empty")
    assert "notes.zip holds no audio file" in error


def test_unpacked_archives_of_live_jobs_are_wanted_and_others_are_not(
    walker: Walker, calls: Path, tmp_path: Path
) -> None:
    job = walker.walk(pack(calls, tmp_path / "calls.zip"))
    store = Store(walker.settings.unpacked, Store.of(walker.settings).bounds, kept_s=0.0)
    with walker.engine.connect() as conn:
        wanted = roots.wanted(conn)
    assert len(wanted) == 1 and store.remove_unused(wanted) == 0

    with walker.engine.begin() as conn:
        conn.execute(text("UPDATE jobs SET state = 'done' WHERE id = :j"), {"j": job})
        wanted = roots.wanted(conn)

    assert wanted == [] and store.remove_unused(wanted) == 1
