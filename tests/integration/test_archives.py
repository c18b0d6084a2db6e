"""Walking an archive that has a manifest or is packed: what ingest writes, on a real database, without a queue."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from db.scores import write_utterances
from ops import jobs, troubles
from tests.integration.planting import Plant, distribution
from tests.integration.walking import Walker
from tests.unit.silence import write_silence
from tests.unit.test_walk import close


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
