"""`tenor report` on real rows and a real file: which recording is meant, what the page holds, what it goes without."""

import json
from pathlib import Path

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from db.engine import make_engine
from db.errors import NotFound
from ops.cli.main import app
from ops.exporting import ExportFailed
from ops.report.errors import NotAnalysed, RecordingUnclear, RecordingUnknown
from ops.report.making import Report, report
from tests.integration.cli_world import Tenor
from tests.integration.labelled_calls import Archive, plant_calls
from tests.integration.one_call import ANGRY, HAPPY, SAD
from tests.integration.planting import Plant
from workers.settings import Settings


@pytest.fixture
def archive(database_url: str, tmp_path: Path) -> Archive:
    """Two analysed calls whose sound is there."""
    return plant_calls(database_url, tmp_path / "calls")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "out.html"


def made(database_url: str, place: Path, name: str, job: int | None = None) -> tuple[Report, str]:
    """A report and its page."""
    settings = Settings(home=place.parent / "home")
    found = report(make_engine(database_url), settings, name, job=job, out=place)
    return found, place.read_text(encoding="utf-8")


def test_a_report_holds_what_was_said_felt_and_heard_and_draws_the_sound(
    archive: Archive, plant: Plant, database_url: str, place: Path
) -> None:
    plant.conn.execute(
        text("""
            INSERT INTO labels (recording_id, start_s, end_s, annotator, corpus, item_id, label)
            SELECT recording_id, s, s + 1, 'vera', 'archive', 'x', 'surprise' FROM archive_files,
                   (VALUES (1.0), (2.6)) AS v (s) WHERE path = 'may/1.wav'
        """)
    )
    plant.conn.execute(text("UPDATE utterances SET words = '[[\"why\", 1.1, 1.4, 0.9]]' WHERE text = 'why'"))
    plant.conn.commit()

    found, html = made(database_url, place, "may/1.wav")

    assert (found.recording, found.job_id, found.profile, found.version) == ("may/1.wav", archive.job, "mini", 1)
    assert (found.utterances, found.silent, found.place) == (3, None, place)
    assert 'class="wave"' in html and "There is no waveform" not in html
    assert '<span title="0:01.1–0:01.4">why</span>' in html
    assert html.count('<span class="soft">vera</span>') == 1, "the second label covers too little of its utterance"
    assert "Where a mood turned" in html and ">0.40<" not in html
    assert "angry 0.90, sad 0.10" in html and "−0.90" not in html


@pytest.mark.parametrize("name", ["june/1.wav", "./june/1.wav", "{folder}/june/1.wav"])
def test_a_recording_is_named_by_its_path_in_the_archive_or_its_file(
    archive: Archive, database_url: str, place: Path, name: str
) -> None:
    assert made(database_url, place, name.format(folder=archive.folder))[0].recording == "june/1.wav"


def test_a_file_is_found_from_the_folder_one_stands_in(
    archive: Archive, database_url: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(archive.folder / "june")

    # The end of two paths, but only one of them is the file that lies here.
    assert made(database_url, place, "1.wav")[0].recording == "june/1.wav"


def test_an_id_is_taken_where_no_path_fits(archive: Archive, plant: Plant, database_url: str, place: Path) -> None:
    (row,) = plant.rows("SELECT recording_id FROM archive_files WHERE path = 'june/1.wav'")

    found, _ = made(database_url, place, str(row["recording_id"]))

    assert (found.recording_id, found.recording) == (row["recording_id"], "june/1.wav")


def test_a_name_of_two_recordings_is_refused_with_both(archive: Archive, database_url: str, place: Path) -> None:
    with pytest.raises(RecordingUnclear) as said:
        made(database_url, place, "1.wav")

    assert str(said.value) == (
        f"1.wav may be one of 2 recordings: {archive.folder}/june/1.wav or {archive.folder}/may/1.wav"
    )
    assert not place.exists()


def test_an_unknown_name_is_refused_with_those_it_resembles(archive: Archive, database_url: str, place: Path) -> None:
    with pytest.raises(RecordingUnknown, match=r"perhaps june/1\.wav"):
        made(database_url, place, "june/1.wave")
    with pytest.raises(RecordingUnknown, match=r"perhaps (may/1\.wav or june/1\.wav|june/1\.wav or may/1\.wav)"):
        made(database_url, place, "1.WAV")
    with pytest.raises(RecordingUnknown, match=r"no recording 99999999999999999999$"):
        made(database_url, place, "99999999999999999999")
    with pytest.raises(NotFound, match="there is no job 99"):
        made(database_url, place, "june/1.wav", job=99)


def test_a_recording_that_failed_says_why(archive: Archive, plant: Plant, database_url: str, place: Path) -> None:
    (row,) = plant.rows("SELECT id FROM archives")
    file = plant.file(row["id"], "bad.wav", plant.recording())
    plant.link(archive.job, file, "failed", error_code="audio_silent", error="The recording is silent.")
    plant.conn.commit()

    with pytest.raises(NotAnalysed, match=rf"bad\.wav failed in job {archive.job}: The recording is silent\."):
        made(database_url, place, "bad.wav")


def test_without_its_file_a_recording_still_has_a_report(archive: Archive, database_url: str, place: Path) -> None:
    (archive.folder / "may" / "1.wav").unlink()

    found, html = made(database_url, place, "may/1.wav")

    assert found.silent is not None and "There is no waveform: the file cannot be opened" in html
    assert found.utterances == html.count("<tr id=") == 3


def test_the_same_sound_at_another_path_is_drawn_where_the_one_that_is_shown_is_gone(
    archive: Archive, plant: Plant, database_url: str, place: Path
) -> None:
    audio = archive.folder / "may" / "1.wav"
    (row,) = plant.rows("SELECT archive_id, recording_id FROM archive_files WHERE path = 'may/1.wav'")
    audio.rename(archive.folder / "moved.wav")
    plant.file(row["archive_id"], "moved.wav", row["recording_id"])
    plant.conn.commit()

    found, html = made(database_url, place, "may/1.wav")

    assert found.silent is None and 'class="wave"' in html


def test_another_recording_under_the_same_name_is_not_drawn(archive: Archive, database_url: str, place: Path) -> None:
    audio = archive.folder / "may" / "1.wav"
    audio.write_bytes((archive.folder / "june" / "1.wav").read_bytes())

    found, html = made(database_url, place, "may/1.wav")

    assert found.silent == "the file was replaced after it was enqueued"
    assert 'class="wave"' not in html


def test_an_analysis_that_stores_no_text_has_a_report(
    archive: Archive, plant: Plant, database_url: str, place: Path
) -> None:
    plant.conn.execute(text("UPDATE utterances SET text = NULL"))
    plant.conn.execute(text("""UPDATE alignments SET options = '{"keep_text": false}'"""))
    plant.conn.commit()

    _, html = made(database_url, place, "may/1.wav")

    assert "This analysis stores no text." in html and ">Said<" not in html


def test_a_job_shows_what_it_found_also_when_the_views_show_a_newer_version(
    archive: Archive, plant: Plant, database_url: str, place: Path
) -> None:
    (row,) = plant.rows(
        "SELECT f.id AS file, f.archive_id, f.recording_id, al.id AS alignment, p.id AS profile FROM archive_files f"
        " JOIN alignments al ON al.recording_id = f.recording_id, profiles p WHERE f.path = 'may/1.wav'"
    )
    newer = plant.version(row["profile"], 2, champion=True)
    job = plant.job(row["archive_id"], newer, state="done")
    plant.score(row["alignment"], newer, plant.batch(job, newer), [HAPPY, SAD, ANGRY])
    plant.link(
        job, row["file"], "done", recording_id=row["recording_id"], alignment_id=row["alignment"],
        profile_version_id=newer,
    )  # fmt: skip
    plant.conn.commit()

    now, shown = made(database_url, place, "may/1.wav")
    then, before = made(database_url, place, "may/1.wav", job=archive.job)

    assert (now.version, now.job_id, then.version, then.job_id) == (2, job, 1, archive.job)
    assert "happy 1.00" in shown and "happy 1.00" not in before and "angry 0.90" in before
    assert "not the one that the views show" in before and "which is another one" in before


def test_a_job_shows_what_a_file_held_then(archive: Archive, plant: Plant, database_url: str, place: Path) -> None:
    plant.conn.execute(
        text("UPDATE archive_files SET recording_id = :now WHERE path = 'may/1.wav'"), {"now": plant.recording()}
    )
    plant.conn.commit()

    with pytest.raises(NotAnalysed, match=r"may/1\.wav has not been analysed"):
        made(database_url, place, "may/1.wav")
    found, html = made(database_url, place, "may/1.wav", job=archive.job)

    assert html.count("<tr id=") == 3
    assert found.silent == "the archive holds another recording under this name now"


def test_a_recording_of_two_profiles_asks_for_the_job(
    archive: Archive, plant: Plant, database_url: str, place: Path
) -> None:
    (row,) = plant.rows(
        "SELECT f.id AS file, f.archive_id, f.recording_id, al.id AS alignment FROM archive_files f"
        " JOIN alignments al ON al.recording_id = f.recording_id WHERE f.path = 'june/1.wav'"
    )
    other = plant.version(plant.profile("other"), 1, champion=True)
    job = plant.job(row["archive_id"], other, state="done")
    plant.score(row["alignment"], other, plant.batch(job, other), [SAD])
    plant.link(
        job, row["file"], "done", recording_id=row["recording_id"], alignment_id=row["alignment"],
        profile_version_id=other,
    )  # fmt: skip
    plant.conn.commit()

    with pytest.raises(RecordingUnclear) as said:
        made(database_url, place, "june/1.wav")

    assert str(said.value) == (
        f"june/1.wav was analysed by 2 profiles: job {archive.job} for mini version 1 or {job} for other version 1"
    )
    assert made(database_url, place, "june/1.wav", job=job)[0].profile == "other"


def test_the_command_says_where_the_page_is_and_ends_as_it_should(
    archive: Archive, database_url: str, tmp_path: Path
) -> None:
    tenor = Tenor(database_url, tmp_path / "home")
    place = tmp_path / "page.html"

    done = tenor("report", "may/1.wav", "--out", str(place), "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert (document["place"], document["recording"], document["utterances"]) == (str(place), "may/1.wav", 3)
    printed = tenor("report", "may/1.wav", "--out", "-")
    assert printed.returncode == 0 and printed.stdout.startswith("<!doctype html>")
    unknown = tenor("report", "nobody", "--out", str(place), "--json")
    assert (unknown.returncode, json.loads(unknown.stdout)["error"]["code"]) == (1, "recording_unknown")
    both = CliRunner().invoke(app, ["report", "may/1.wav", "--out", "-", "--json"])
    assert both.exit_code == 2 and "cannot both be printed" in both.output


def test_two_recordings_of_one_name_get_two_pages(
    archive: Archive, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    places = [
        report(make_engine(database_url), Settings(home=tmp_path), name).place for name in ("may/1.wav", "june/1.wav")
    ]

    assert places == [tmp_path / "may-1.report.html", tmp_path / "june-1.report.html"]
    assert all(place is not None and place.is_file() for place in places)


def test_a_place_that_cannot_be_written_is_named(archive: Archive, database_url: str, tmp_path: Path) -> None:
    with pytest.raises(ExportFailed, match="cannot be written"):
        report(make_engine(database_url), Settings(home=tmp_path), "may/1.wav", out=tmp_path / "nowhere" / "page.html")
