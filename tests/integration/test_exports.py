"""A job's utterances as files, from the real view."""

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from ops import exporting
from tests.integration.one_call import ANGRY, HAPPY, SAD, Call
from tests.integration.planting import Plant


@pytest.fixture
def job(call: Call, plant: Plant) -> int:
    """A job with one scored recording."""
    plant.score(call.alignment, call.version, call.batch, [ANGRY, HAPPY, SAD])
    plant.link(
        call.job, call.file, "done", recording_id=call.recording, alignment_id=call.alignment,
        profile_version_id=call.version,
    )  # fmt: skip
    plant.conn.commit()
    return call.job


def shown(plant: Plant, job: int) -> list[dict[str, object]]:
    return plant.rows("SELECT * FROM job_emotions WHERE job_id = :j ORDER BY recording, utterance_no", j=job)


def test_parquet_has_every_column_of_the_view_with_its_type(
    plant: Plant, job: int, database_url: str, tmp_path: Path
) -> None:
    rows = shown(plant, job)
    assert exporting.export(database_url, job, "parquet", tmp_path / "out.parquet") == len(rows) == 3

    table = pq.read_table(tmp_path / "out.parquet")
    assert table.column_names == list(rows[0])
    for column in table.schema:
        kinds = {type(row[column.name]) for row in rows} - {type(None)}
        expected = {int: "int64", float: "float", str: "string", dict: "string"}
        assert kinds <= set(expected)
        assert all(str(column.type) == expected[kind] for kind in kinds), column
    found = table.to_pylist()
    assert [row["text"] for row in found] == [row["text"] for row in rows]
    assert [row["p_angry"] for row in found] == [1.0, 0.0, 0.0]
    assert found[0]["text_angry"] is None
    assert json.loads(found[0]["metadata"]) == {"agent": "7"}


def test_csv_and_json_lines_hold_the_same(plant: Plant, job: int, database_url: str, tmp_path: Path) -> None:
    rows = shown(plant, job)
    exporting.export(database_url, job, "csv", tmp_path / "out.csv")
    exporting.export(database_url, job, "jsonl", tmp_path / "out.jsonl")

    read = list(csv.DictReader(io.StringIO((tmp_path / "out.csv").read_text())))
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [row["text"] for row in read] == [row["text"] for row in lines] == [row["text"] for row in rows]
    assert [float(row["end_s"]) for row in read] == [row["end_s"] for row in lines] == [2.0, 7.0, 14.0]
    assert lines[0]["metadata"] == {"agent": "7"} and lines[0]["text_angry"] is None


def test_more_rows_than_a_group_are_all_written(
    plant: Plant, job: int, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "GROUP", 2)
    exporting.export(database_url, job, "parquet", tmp_path / "out.parquet")

    file = pq.ParquetFile(tmp_path / "out.parquet")
    assert (file.num_row_groups, file.metadata.num_rows) == (2, 3)


def test_a_failed_export_leaves_the_file_that_was_there(job: int, database_url: str, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    out.write_text("before")
    with pytest.raises(exporting.ExportFailed):
        exporting.export(database_url, job, "csv", tmp_path / "nowhere" / "out.csv")
    out_folder = tmp_path / "folder.csv"
    out_folder.mkdir()
    with pytest.raises(exporting.ExportFailed):
        exporting.export(database_url, job, "csv", out_folder)
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []
    assert out.read_text() == "before"


def test_the_command_writes_to_standard_output(job: int, database_url: str, tmp_path: Path) -> None:
    variables = {name: value for name, value in os.environ.items() if not name.startswith("TENOR_")}
    variables |= {"TENOR_DATABASE_URL": database_url, "TENOR_HOME": str(tmp_path)}

    def tenor(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "ops.cli", "export", *arguments],
            env=variables, capture_output=True, text=True, timeout=120,
        )  # fmt: skip

    done = tenor(str(job), "--format", "jsonl", "--out", "-")
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["speaker"] for line in done.stdout.splitlines()] == ["Anna", "Ben", "Anna"]
    assert tenor(str(job), "--out", "-").returncode == 1
    assert "There is no job 999" in tenor("999", "--format", "csv", "--out", "-").stderr


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("calls.csv", "csv"),
        ("CALLS.JSONL", "jsonl"),
        ("calls.parquet", "parquet"),
        ("calls", "parquet"),
        (None, "parquet"),
    ],
)
def test_the_name_of_a_file_says_its_form(name: str | None, form: str) -> None:
    assert exporting.form_of(Path(name) if name is not None else None) == form
