"""`tenor labels` against a real Postgres: in, measured, shown, proposed, and back from Label Studio."""

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import soundfile
from sqlalchemy import text
from typer.testing import CliRunner

from db.engine import make_engine
from db.targets import targets
from ops.cli.main import app
from tests.integration.cli_world import Tenor
from tests.integration.labelled_calls import Archive, plant_calls
from tests.integration.planting import distribution
from tests.unit.labelling_files import TEXTGRID, annotation, choice, rating


@pytest.fixture
def process(database_url: str, tmp_path: Path) -> Tenor:
    return Tenor(database_url, tmp_path / "home")


@dataclass(frozen=True)
class Done:
    """What `subprocess.CompletedProcess` says too."""

    returncode: int
    stdout: str
    stderr: str


Command = Callable[..., Done]


@pytest.fixture
def tenor(process: Tenor, monkeypatch: pytest.MonkeyPatch) -> Command:
    """The command within this process, since most of a process's time is imports."""
    for name, value in process.environment.items():
        if name.startswith("TENOR_"):
            monkeypatch.setenv(name, value)

    def run(*arguments: str) -> Done:
        result = CliRunner().invoke(app, list(arguments))
        return Done(result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture
def archive(database_url: str, tmp_path: Path) -> Archive:
    return plant_calls(database_url, tmp_path / "calls")


def rows(url: str, query: str) -> list[dict[str, Any]]:
    with make_engine(url).connect() as conn:
        return [dict(row) for row in conn.execute(text(query)).mappings()]


def write_table(path: Path, *lines: tuple[object, ...]) -> Path:
    header = ("recording", "start_s", "end_s", "utterance_no", "annotator", "label", "arousal")
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *lines])
    return path


def test_labels_go_in_once_and_lines_that_cannot_be_followed_are_named(
    process: Tenor, archive: Archive, database_url: str, tmp_path: Path
) -> None:
    table = write_table(
        tmp_path / "labels.csv",
        ("may/1.wav", 0, 1, "", "Kim", "angry", 4),
        ("may/1.wav", 0, 1, "", "Lee", "sad", 4),
        ("may/1.wav", "", "", 1, "Kim", "sad", ""),
        ("may/1.wav", 1, 2, "", "Lee", "sadness", ""),
        ("1.wav", 0, 1, "", "Kim", "sad", ""),
        ("may/2.wav", 0, 1, "", "Kim", "sad", ""),
        ("may/1.wav", "", "", 9, "Kim", "sad", ""),
        ("may/1.wav", 4, 5, "", "Kim", "sad", ""),
        ("may/1.wav", 0, 1, "", "Kim", "happy", ""),
        ("june/1.wav", "", "", "", "ravdess", "sad", ""),
        ("june/1.wav", "", "", "", "Kim", "sad", ""),
    )

    # When it is tried out, imported, and imported again
    tried = process("labels", "import", str(table), "--dry-run", "--json")
    untouched = rows(database_url, "SELECT * FROM labels")
    first = process("labels", "import", str(table))
    before = rows(database_url, "SELECT * FROM labels ORDER BY recording_id, start_s, annotator")
    second = process("labels", "import", str(table), "--json")

    # Then every line that can be followed is there, once
    assert (first.returncode, untouched) == (0, [])
    assert first.stderr.splitlines() == [
        "labels.csv, line 6: 2 recordings may be meant; give more of the path, or --archive, --job or sha256",
        "labels.csv, line 7: the database knows no such recording; enqueue it first",
        "labels.csv, line 8: the recording has no utterance of that number",
        "labels.csv, line 9: the recording ends at 3.000 s",
        "labels.csv, line 10: its annotator judges this stretch otherwise at line 2",
        "labels.csv, line 11: its annotator has the name of a corpus, which stands for what that publishes",
    ]
    assert "5 labels new, 0 corrected, 0 as they were, 6 refused; 2 annotators, 2 recordings" in first.stdout
    assert json.loads(tried.stdout)["added"] == 5 and json.loads(tried.stdout)["batch_id"] is None
    assert [(row["start_s"], row["end_s"], row["annotator"], row["label"]) for row in before] == [
        (0.0, 1.0, "Kim", "angry"),
        (0.0, 1.0, "Lee", "sad"),
        (1.0, 2.0, "Kim", "sad"),
        (1.0, 2.0, "Lee", "sad"),
        (0.0, 3.0, "Kim", "sad"),
    ]
    again = json.loads(second.stdout)
    assert (again["added"], again["corrected"], again["unchanged"], again["batch_id"]) == (0, 0, 5, None)
    assert rows(database_url, "SELECT * FROM labels ORDER BY recording_id, start_s, annotator") == before
    (batch,) = rows(database_url, "SELECT * FROM label_batches")
    assert (batch["added"], batch["refused"], batch["emotion_items"]) == (5, 6, 2)
    # Angry and sad, sad and sad: alpha = 1 - 3 * 2 / 6
    assert (batch["emotion_alpha"], batch["arousal_alpha"]) == (pytest.approx(0.0), None)
    assert "every judgement is the same" in batch["arousal_note"]


def test_refused_labels_are_an_exit_code_only_when_strict_or_all_of_them(
    tenor: Command, archive: Archive, database_url: str, tmp_path: Path
) -> None:
    good, bad = ("may/1.wav", 0, 1, "", "Kim", "angry", ""), ("may/9.wav", 0, 1, "", "Kim", "sad", "")
    some, none = write_table(tmp_path / "some.csv", good, bad), write_table(tmp_path / "none.csv", bad, bad)

    tried, refused = tenor("labels", "import", str(none), "--dry-run"), tenor("labels", "import", str(none))
    document = tenor("labels", "import", str(none), "--strict", "--json")

    for done in (tried, refused, document):
        assert done.returncode == 1
        assert done.stderr.splitlines()[-1].startswith("Error: All 2 labels of none.csv were refused. Mend")
    assert [one["where"] for one in json.loads(document.stdout)["refused"]] == ["line 2", "line 3"]
    assert rows(database_url, "SELECT * FROM label_batches") == []

    assert tenor("labels", "import", str(some)).returncode == 0
    assert tenor("labels", "import", str(some), "--strict").returncode == 3


def test_a_corrected_label_replaces_its_annotators_and_the_history_names_both_imports(
    tenor: Command, archive: Archive, database_url: str, tmp_path: Path
) -> None:
    tenor("labels", "import", str(write_table(tmp_path / "a.csv", ("may/1.wav", 0, 1, "", "Kim", "angry", ""))))

    done = tenor("labels", "import", str(write_table(tmp_path / "b.csv", ("may/1.wav", 0, 1, "", "Kim", "sad", ""))))

    assert "0 labels new, 1 corrected" in done.stdout
    assert "alpha of emotion: none, nothing was judged by two or more annotators" in done.stdout
    (label,) = rows(database_url, "SELECT label, batch_id FROM labels")
    (before,) = rows(database_url, "SELECT was, replaced_by FROM replaced_labels")
    assert (label["label"], before["was"]["label"]) == ("sad", "angry")
    assert (before["was"]["batch_id"], before["replaced_by"]) == (1, label["batch_id"]) == (1, 2)


def test_a_path_means_the_archive_or_job_that_is_named(tenor: Command, archive: Archive, tmp_path: Path) -> None:
    elsewhere = write_table(tmp_path / "a.csv", ("may/1.wav", 0, 1, "", "Kim", "angry", ""))

    for scope, code, said in (
        (("--archive", str(archive.folder)), 0, "1 labels new"),
        (("--job", str(archive.job)), 0, "1 as they were"),
        (("--archive", str(tmp_path)), 1, "was never enqueued"),
        (("--job", "99"), 1, "there is no job 99"),
    ):
        done = tenor("labels", "import", str(elsewhere), *scope)

        assert done.returncode == code
        assert said.lower() in (done.stdout + done.stderr).lower()
    assert tenor("labels", "import", str(elsewhere), "--job", "1", "--archive", "x").returncode == 2


def test_a_textgrid_belongs_to_the_recording_of_its_name(
    tenor: Command, archive: Archive, database_url: str, tmp_path: Path
) -> None:
    for folder in ("may", "june"):
        (tmp_path / "grids" / folder).mkdir(parents=True)
        (tmp_path / "grids" / folder / "1.TextGrid").write_text(TEXTGRID)

    done = tenor("labels", "import", str(tmp_path / "grids"), "--annotator", "Kim", "--map", "furious=angry")

    assert "4 labels new" in done.stdout, done.stderr
    found = rows(database_url, "SELECT count(DISTINCT recording_id), min(start_s), max(end_s) FROM labels")
    assert [tuple(row.values()) for row in found] == [(2, 1.0, 3.0)]


def test_imports_are_listed_and_shown_with_what_is_disputed(tenor: Command, archive: Archive, tmp_path: Path) -> None:
    assert "No labels of your own yet" in tenor("labels", "list").stderr
    people = [("Kim", "angry", "sad"), ("Lee", "sad", "sad"), ("Ida", "sad", "sad")]
    lines = [("may/1.wav", at, at + 1, "", who, said[at], at + 1) for who, *said in people for at in (0, 1)]
    tenor("labels", "import", str(write_table(tmp_path / "a.csv", *lines)))

    listed = tenor("labels", "list")
    shown = tenor("labels", "show", "1")
    document = json.loads(tenor("labels", "show", "1", "--json").stdout)

    assert "a.csv" in listed.stdout and "Ida, Kim, Lee" in listed.stdout
    assert "1.00 (1.00 to 1.00)" in listed.stdout, "what they say about arousal is the same"
    assert "Ida ↓  Kim →" in shown.stdout
    assert document["batch"]["agreement"]["arousal"]["alpha"] == 1.0
    assert {"annotators": ["Ida", "Kim"], "said": [["sad", "angry", 1], ["sad", "sad", 1]]} in document["confusion"]
    (disputed,) = document["disputed"]
    assert (disputed["recording"], disputed["start_s"]) == ("may/1.wav", 0.0)
    assert disputed["said"] == {"Ida": "sad", "Kim": "angry", "Lee": "sad"}
    assert tenor("labels", "show", "9").returncode == 1


def test_what_is_proposed_comes_back_from_label_studio_as_labels(
    tenor: Command, archive: Archive, database_url: str, tmp_path: Path
) -> None:
    # Given that Anna's first utterance is labelled already
    tenor("labels", "import", str(write_table(tmp_path / "a.csv", ("may/1.wav", 0, 1, "", "Kim", "angry", ""))))
    out = tmp_path / "to do"

    # When the rest is proposed
    done = tenor("labels", "sample", "-n", "2", "--out", str(out), "--json")

    # Then the unsure ones are there, one of each speaker, with their sound and no word of what was said
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    assert (made["job_id"], made["proposed"], made["pool"], made["speakers"]) == (archive.job, 2, 3, 2)
    tasks = json.loads((out / "tasks.json").read_text())
    assert [(task["data"]["recording"], task["data"]["start_s"]) for task in tasks] == [
        ("june/1.wav", 0.5),
        ("may/1.wav", 1.0),
    ]
    assert all("text" not in task["data"] for task in tasks)
    assert tasks[1]["predictions"][0]["result"][0]["value"] == {"choices": ["sad"]}
    sound, rate = soundfile.read(out / "clips" / tasks[1]["data"]["audio"].rpartition("/")[2])
    whole, _ = soundfile.read(archive.folder / "may/1.wav")
    assert (rate, len(sound)) == (16_000, 16_000)
    assert sound == pytest.approx(whole[16_000:32_000], abs=1e-3)
    assert "labels import" in (out / "README.md").read_text()
    assert "$audio" in (out / "config.xml").read_text()

    # And once two people have labelled them in Label Studio, its export goes in as it is
    export = [
        {
            "id": number,
            **task,
            "annotations": [
                annotation(10 * number, {"id": 1, "email": "kim@calls.example"}, choice("sad"), rating("arousal", 2)),
                annotation(10 * number + 1, 7, choice("angry"), rating("arousal", 5)),
            ],
        }
        for number, task in enumerate(tasks, start=1)
    ]
    (tmp_path / "export.json").write_text(json.dumps(export))
    back = json.loads(tenor("labels", "import", str(tmp_path / "export.json"), "--json").stdout)
    assert (back["added"], back["refused"], back["format"]) == (4, [], "label-studio")
    with make_engine(database_url).connect() as conn:
        found = {target.start_s: target for target in targets(conn) if len(target.annotators) == 2}
    assert sorted(found) == [0.5, 1.0]
    assert found[1.0].shares == pytest.approx(distribution(angry=0.5, sad=0.5))
    assert (found[1.0].end_s, found[1.0].voice, found[1.0].arousal) == (2.0, "Ben", 3.5)

    # And what is labelled is not proposed again
    rest = tenor("labels", "sample", "--out", str(tmp_path / "rest"), "--with-text", "--no-predictions")
    assert rest.returncode == 0, rest.stderr
    (task,) = json.loads((tmp_path / "rest" / "tasks.json").read_text())
    assert (task["data"]["start_s"], task["data"]["text"]) == (2.0, "so")
    assert "predictions" not in task


def test_nothing_to_propose_and_a_folder_in_use_are_sentences(tenor: Command, archive: Archive, tmp_path: Path) -> None:
    first = tenor("labels", "sample", "-n", "1", "--strategy", "random", "--out", str(tmp_path / "a"))
    again = tenor("labels", "sample", "-n", "1", "--strategy", "random", "--out", str(tmp_path / "b"))
    taken = tenor("labels", "sample", "--out", str(tmp_path / "a"))
    nothing = tenor("labels", "sample", "--job", "99")

    assert first.returncode == 0, first.stderr
    assert (tmp_path / "a" / "tasks.json").read_text().replace("=a/", "=b/") == (
        tmp_path / "b" / "tasks.json"
    ).read_text()
    assert (taken.returncode, nothing.returncode) == (1, 1)
    assert "is there already. Name another folder" in taken.stderr
    assert "There is no job 99" in nothing.stderr
    assert again.returncode == 0


def test_a_region_that_its_annotator_moves_is_moved_and_not_added(
    tenor: Command, archive: Archive, database_url: str, tmp_path: Path
) -> None:
    def imported(*regions: tuple[str, float, float, str]) -> dict[str, Any]:
        results = [choice(word, start=start, end=end) | {"id": name} for name, start, end, word in regions]
        task = {"id": 8, "data": {"audio": "may/1.wav"}, "annotations": [annotation(1, 4, *results)]}
        (tmp_path / "export.json").write_text(json.dumps([task]))
        done: dict[str, Any] = json.loads(tenor("labels", "import", str(tmp_path / "export.json"), "--json").stdout)
        return done

    assert imported(("a", 0.0, 1.0, "sad"), ("b", 1.0, 2.0, "angry"))["added"] == 2

    # One goes where the other has been
    moved = imported(("a", 1.0, 2.0, "sad"), ("b", 2.0, 3.0, "angry"))

    assert (moved["added"], moved["corrected"], moved["unchanged"]) == (0, 2, 0)
    assert rows(database_url, "SELECT start_s, end_s, label FROM labels ORDER BY start_s") == [
        {"start_s": 1.0, "end_s": 2.0, "label": "sad"},
        {"start_s": 2.0, "end_s": 3.0, "label": "angry"},
    ]
    assert rows(database_url, "SELECT start_s, was ->> 'label' AS label FROM replaced_labels ORDER BY start_s") == [
        {"start_s": 0.0, "label": "sad"},
        {"start_s": 1.0, "label": "angry"},
    ]
    again = imported(("a", 1.0, 2.0, "sad"), ("b", 2.0, 3.0, "angry"))
    assert (again["added"], again["corrected"], again["unchanged"]) == (0, 0, 2)
