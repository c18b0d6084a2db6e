"""Walking an archive that has a manifest or is packed: what ingest writes, on a real database, without a queue."""

import shutil
import uuid
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from celery import Task
from sqlalchemy import Engine, text

from db.engine import make_engine
from db.scores import write_utterances
from ml.profiles import load_profile
from ops import jobs, troubles
from tests.integration.planting import Plant, distribution
from tests.unit.silence import write_silence
from tests.unit.test_walk import close
from workers import broker, context, dispatch, roots
from workers.app import app
from workers.enqueue import JobOptions, create_job
from workers.packed import Store
from workers.settings import Settings
from workers.stages.align import Member, _members
from workers.stages.ingest import _Ingest
from workers.stages.runner import run


@dataclass
class Walker:
    """Enqueues archives and walks them in this process; nothing is aligned."""

    engine: Engine
    settings: Settings

    def walk(self, archive: Path, **options: Any) -> int:
        """Returns the job's id."""
        job = create_job(self.engine, archive, load_profile("mini-speech-only"), JobOptions(**options))
        self.again(job)
        return job

    def again(self, job: int) -> str:
        (stage,) = self.rows("SELECT id FROM stages WHERE stage = 'ingest' AND job_id = :j", j=job)
        task = Task()
        task.bind(app)
        task.push_request(id=str(uuid.uuid4()))
        return run(task, stage["id"], lambda claim: _Ingest(task, claim).work())

    def rows(self, query: str, **values: Any) -> list[dict[str, Any]]:
        with self.engine.connect() as conn:
            return [dict(row) for row in conn.execute(text(query), values).mappings()]

    def files(self, job: int) -> dict[str, dict[str, Any]]:
        """What a job has of each path."""
        found = self.rows(
            """
            SELECT f.path, f.metadata, f.dialogue, f.recorded_at, f.transcript_path, r.state, r.error_code, r.error,
                   r.alignment_id, a.options, a.state AS alignment_state
              FROM job_recordings r JOIN archive_files f ON f.id = r.file_id
              LEFT JOIN alignments a ON a.id = r.alignment_id
             WHERE r.job_id = :j ORDER BY f.path
            """,
            j=job,
        )
        return {row["path"]: row for row in found}

    def members(self, job: int) -> list[Member]:
        """What align would read."""
        groups = self.rows("SELECT id FROM groups WHERE job_id = :j", j=job)
        return [member for group in groups for member in _members(group["id"])]

    def problems(self, job: int) -> list[tuple[int, str]]:
        with self.engine.connect() as conn:
            return [(problem.line, problem.code) for problem in troubles.errors(conn, job).manifest]

    def failure(self, job: int) -> tuple[str, str, str]:
        (row,) = self.rows("SELECT state, error_code, error FROM jobs WHERE id = :j", j=job)
        return row["state"], row["error_code"], row["error"]


@pytest.fixture
def walker(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Walker]:
    """Replaced is the queue: no message is sent."""
    monkeypatch.setenv("TENOR_HOME", str(tmp_path / "home"))
    settings = Settings(home=tmp_path / "home", database_url=database_url)
    engine = make_engine(database_url)
    monkeypatch.setattr(context, "settings", lambda: settings)
    monkeypatch.setattr(context, "engine", lambda: engine)
    monkeypatch.setattr(broker, "ping", lambda _app: None)
    monkeypatch.setattr(dispatch, "send", lambda _app, _engine, stages: len(list(stages)))
    monkeypatch.setattr("workers.enqueue.send", lambda _app, _engine, stages: len(list(stages)))
    yield Walker(engine, settings)
    engine.dispose()


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    folder = tmp_path / "calls"
    (folder / "sub").mkdir(parents=True)
    for number, name in enumerate(("a.wav", "b.wav", "sub/c.wav")):
        write_silence(folder / name, level=number)
    (folder / "all.txt").write_text("words for everybody")
    return folder


def manifest(folder: Path, *lines: str) -> None:
    (folder / "manifest.csv").write_text(
        "path,transcript,language,speaker,dialogue,recorded_at,agent\n" + "\n".join(lines)
    )


def test_what_a_manifest_says_goes_with_each_file_and_before_the_jobs_options(walker: Walker, calls: Path) -> None:
    manifest(calls, "a.wav,all.txt,pl,Ruth,d1,2026-03-01,7", "sub/c.wav,all.txt,,,,,")

    job = walker.walk(calls, language="en")

    files = walker.files(job)
    assert files["a.wav"]["metadata"] == {"agent": "7"} and files["a.wav"]["dialogue"] == "d1"
    assert files["a.wav"]["recorded_at"].isoformat().startswith("2026-03-01T00:00")
    assert [files[name]["transcript_path"] for name in files] == ["all.txt", None, "all.txt"]
    chosen = {name: (row["options"]["language"], row["options"]["speaker"]) for name, row in files.items()}
    assert chosen == {"a.wav": ("pl", "Ruth"), "b.wav": ("en", None), "sub/c.wav": ("en", None)}
    assert files["a.wav"]["options"]["speakers"] == 1
    assert walker.problems(job) == []


def test_a_changed_line_is_another_alignment_and_an_unchanged_one_the_same(walker: Walker, calls: Path) -> None:
    manifest(calls, "a.wav,,pl,,,,7", "b.wav,,pl,,,,7")
    first = walker.files(walker.walk(calls))

    # When one line chooses another language, and of the other only metadata change
    manifest(calls, "b.wav,,PL,,d9,,8", "a.wav,,ko,,,,7")
    second = walker.files(walker.walk(calls))

    assert second["a.wav"]["alignment_id"] != first["a.wav"]["alignment_id"]
    assert second["b.wav"]["alignment_id"] == first["b.wav"]["alignment_id"]
    assert (second["b.wav"]["metadata"], second["b.wav"]["dialogue"]) == ({"agent": "8"}, "d9")

    # And without a manifest nothing of it is left.
    (calls / "manifest.csv").unlink()
    third = walker.files(walker.walk(calls))
    assert third["b.wav"]["metadata"] == {} and third["b.wav"]["dialogue"] is None
    assert third["b.wav"]["options"]["language"] == "auto"


def test_every_problem_has_its_line_once_and_the_rest_goes_on(walker: Walker, calls: Path) -> None:
    manifest(
        calls,
        "a.wav,,nonsense,,,,",
        "a.wav,,pl,,,,",
        "../b.wav,,,,,,",
        "b.wav,none.txt,,,,yesterday,",
        "gone.wav,,,,,,",
        "and then she said,,,,,,",
    )

    job = walker.walk(calls)

    assert walker.problems(job) == [
        (2, "manifest_language"),
        (3, "manifest_path_twice"),
        (4, "manifest_path"),
        (5, "manifest_recorded_at"),
        (5, "manifest_transcript"),
        (7, "manifest_path"),
    ]
    files = walker.files(job)
    assert {path: row["state"] for path, row in files.items()} == {
        "a.wav": "aligning", "b.wav": "aligning", "gone.wav": "failed", "sub/c.wav": "aligning",
    }  # fmt: skip
    assert files["gone.wav"]["error_code"] == "recording_absent"
    assert "line 6" in files["gone.wav"]["error"]

    # And a walk that is begun again writes nothing twice.
    with walker.engine.begin() as conn:
        conn.execute(text("UPDATE stages SET state = 'ready' WHERE stage = 'ingest'"))
    assert "files in" in walker.again(job)
    assert len(walker.problems(job)) == 6 and walker.files(job) == files

    # And when the file is there it is a recording like the others.
    write_silence(calls / "gone.wav", level=9)
    assert walker.files(walker.walk(calls))["gone.wav"]["state"] == "aligning"


def test_a_manifest_that_cannot_be_read_fails_the_job_with_a_sentence(walker: Walker, calls: Path) -> None:
    (calls / "manifest.csv").write_text("file,agent\na.wav,7\n")

    state, code, error = walker.failure(walker.walk(calls))

    assert (state, code) == ("failed", "manifest_unreadable")
    assert "manifest.csv, line 1" in error and "UTF-8" in error
    assert walker.rows("SELECT 1 FROM job_recordings") == []


def test_one_recording_alone_takes_its_line_and_no_other(walker: Walker, calls: Path) -> None:
    manifest(calls, "a.wav,,ko,,,,7", "b.wav,,nonsense,,,,", "gone.wav,,,,,,")
    whole = walker.files(walker.walk(calls))

    job = walker.walk(calls / "a.wav")

    assert walker.problems(job) == []
    assert list(walker.files(job)) == ["a.wav"]
    assert walker.files(job)["a.wav"]["alignment_id"] == whole["a.wav"]["alignment_id"]
    assert walker.problems(walker.walk(calls / "b.wav")) == [(3, "manifest_language")]


def test_problems_of_a_manifest_are_listed_by_the_command(walker: Walker, calls: Path) -> None:
    manifest(calls, "a.wav,,nonsense,,,,")
    job = walker.walk(calls)

    with walker.engine.connect() as conn:
        found = troubles.errors(conn, job, 1)

    assert found.manifest_problems == 1
    assert found.manifest[0].error.startswith("Line 2 of the manifest: its language")


def test_a_folder_that_cannot_be_read_fails_by_name_and_its_neighbours_go_on(
    walker: Walker, calls: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    close(monkeypatch, calls / "sub")
    manifest(calls, "sub/c.wav,,,,,,")

    job = walker.walk(calls)

    files = walker.files(job)
    assert {path: (row["state"], row["error_code"]) for path, row in files.items()} == {
        "a.wav": ("aligning", None), "b.wav": ("aligning", None),
        "sub/": ("failed", "folder_unreadable"), "sub/c.wav": ("failed", "recording_absent"),
    }  # fmt: skip
    assert "its folder cannot be read" in files["sub/c.wav"]["error"]
    with walker.engine.connect() as conn:
        assert jobs.status(conn, job).failed == 2


def test_a_file_shows_the_alignment_of_its_own_options(walker: Walker, calls: Path) -> None:
    # Given the same content at two paths with different options, both aligned and scored
    shutil.copy(calls / "a.wav", calls / "z.wav")
    manifest(calls, "a.wav,,ko,,,,", "z.wav,,pl,,,,")
    files = walker.files(walker.walk(calls))
    version = walker.rows("SELECT max(id) AS v FROM profile_versions")[0]["v"]
    with walker.engine.begin() as conn:
        conn.execute(text("UPDATE alignments SET state = 'done'"))
        conn.execute(
            text("""
                INSERT INTO recording_scores (alignment_id, profile_version_id, state)
                SELECT id, :v, 'done' FROM alignments
            """),
            {"v": version},
        )

    shown = {row["path"]: row["alignment_id"] for row in walker.rows("SELECT * FROM current_recording_scores")}

    assert shown == {path: row["alignment_id"] for path, row in files.items()}
    assert shown["a.wav"] != shown["z.wav"]


def align_and_score(walker: Walker) -> None:
    """Do by hand what workers would: every open alignment gets one utterance, whose text tells its language."""
    version = walker.rows("SELECT max(id) AS v FROM profile_versions")[0]["v"]
    with walker.engine.begin() as conn:
        plant = Plant(conn)
        speaker = plant.speaker("Anna")
        for row in plant.rows("SELECT id, options FROM alignments WHERE state = 'pending' ORDER BY id"):
            said = row["options"]["language"] if row["options"]["keep_text"] else None
            write_utterances(conn, [(row["id"], 0, speaker, None, 0.0, 1.0, said, None, None, None, None, None)])
            conn.execute(text("UPDATE alignments SET state = 'done' WHERE id = :a"), {"a": row["id"]})
            job = walker.rows("SELECT max(job_id) AS j FROM job_recordings WHERE alignment_id = :a", a=row["id"])
            plant.score(row["id"], version, plant.batch(job[0]["j"], version), [distribution(sad=1.0)])


def test_options_of_one_archive_change_nothing_in_another_and_old_options_bring_old_results_back(
    walker: Walker, calls: Path, tmp_path: Path
) -> None:
    # Given two archives with the same contents
    shutil.copytree(calls, tmp_path / "backup")

    def shown() -> dict[str, set[str | None]]:
        found = walker.rows("SELECT archive, text FROM utterance_emotions")
        return {name: {row["text"] for row in found if row["archive"].endswith(name)} for name in ("calls", "backup")}

    def run(name: str, **options: Any) -> None:
        walker.walk(tmp_path / name, **options)
        align_and_score(walker)

    run("calls", language="en")
    assert shown() == {"calls": {"en"}, "backup": set()}

    # When the other is analysed without keeping its texts, it has none and the first keeps its own
    run("backup", language="en", keep_text=False)
    assert shown() == {"calls": {"en"}, "backup": {None}}

    # When the first is analysed with other options, it alone shows that
    run("calls", language="ko")
    assert shown() == {"calls": {"ko"}, "backup": {None}}

    # When the old options are chosen again, nothing is aligned anew and the old results are back
    run("calls", language="en")
    assert shown() == {"calls": {"en"}, "backup": {None}}
    assert len(walker.rows("SELECT 1 FROM alignments")) == 9


# --- packed


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
