"""A zip file with a manifest, through real workers: what its owner said of each recording is what SQL shows."""

import zipfile
from pathlib import Path

import pytest

from tests.acceptance.house import SAMPLES, House

MANIFEST = """path;transcript;language;speaker;dialogue;recorded_at;team
calls/one.ogg;texts/first.txt;en;;d-1;2026-03-01T09:30+01:00;parcels
calls/two.ogg;;en;Ruth Ünal;;;claims
calls/three.ogg;;;;;;claims
calls/two.ogg;;klingon;;;;
"""


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    made = tmp_path / "märz.zip"
    with zipfile.ZipFile(made, "w") as archive:
        archive.write(SAMPLES / "bereavement.ogg", "calls/one.ogg")
        archive.write(SAMPLES / "bereavement.txt", "texts/first.txt")
        archive.write(SAMPLES / "lost-parcel.ogg", "calls/two.ogg")
        archive.writestr("manifest.csv", MANIFEST.encode("utf-8-sig"))
    return made


def test_a_zip_file_and_its_manifest_are_analysed_and_shown(house: House, packed: Path) -> None:
    first = house.json("analyze", str(packed))

    assert (first["done"], first["failed"]) == (2, 1)
    listed = house.json("errors", str(first["job_id"]))
    assert [(item["path"], item["code"]) for item in listed["recordings"]] == [("calls/three.ogg", "recording_absent")]
    assert [(item["line"], item["code"]) for item in listed["manifest"]] == [
        (5, "manifest_language"),
        (5, "manifest_path_twice"),
    ]
    assert "line" in house.run("errors", str(first["job_id"])).stdout

    rows = house.rows(
        "SELECT recording, speaker, text, dialogue, metadata, recorded_at FROM utterance_emotions WHERE archive = :a",
        a=str(packed),
    )
    one = [row for row in rows if row["recording"] == "calls/one.ogg"]
    two = [row for row in rows if row["recording"] == "calls/two.ogg"]
    # The transcript that the manifest names, with its speakers
    assert len({row["speaker"] for row in one}) == 2 and any(row["text"] for row in one)
    assert {row["dialogue"] for row in one} == {"d-1"} and {row["metadata"]["team"] for row in one} == {"parcels"}
    assert {row["recorded_at"].isoformat() for row in one} <= {"2026-03-01T08:30:00+00:00", "2026-03-01T09:30:00+01:00"}
    # and the name that it gives to a recording without one, which is an identity of its own.
    assert {row["speaker"] for row in two} == {"Ruth Ünal"} and all(row["text"] is None for row in two)
    assert house.rows("SELECT recording_id FROM speakers WHERE name = 'Ruth Ünal'") == [{"recording_id": None}]

    # And again nothing is done twice.
    again = house.json("analyze", str(packed))
    assert again["reused"] == again["done"] == 2
    assert house.values(again["job_id"]) == house.values(first["job_id"])
