"""Erasing with real workers: out of the database, out of the home, out of what they have in hand, and not back."""

import shutil
from functools import partial
from pathlib import Path

import pytest
import soundfile

from db.engine import make_engine
from ops import erasing
from tests.acceptance.house import SAMPLES, House, write_wav
from tests.integration.finding import in_database, in_files
from workers.settings import Settings

#: A word and a name that are in no other transcript.
CANARY, PERSON = "zorbulent", "Quibblethorpe"
#: Kept by Postgres until it is vacuumed, as the page says.
POSTGRES = ("postgres",)
#: Results of nothing, and contents that lie nowhere; a file that changed leaves one of those behind.
ORPHANS = """
    SELECT (SELECT count(*) FROM scores s WHERE NOT EXISTS (
                SELECT FROM utterances u WHERE (u.alignment_id, u.utterance_no) = (s.alignment_id, s.utterance_no)))
         + (SELECT count(*) FROM recordings r WHERE NOT EXISTS (
                SELECT FROM archive_files f WHERE f.recording_id = r.id))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One call by somebody else, and three in which she speaks, of which one has no other voice."""
    made = tmp_path_factory.mktemp("to erase") / "calls"
    made.mkdir()
    said = (SAMPLES / "bereavement.txt").read_text().replace("afternoon", CANARY, 1)
    for name, person in (("hers", PERSON), ("theirs", "Mrs Hale"), ("late", PERSON)):
        shutil.copy(SAMPLES / "bereavement.ogg", made / f"{name}.ogg")
        with (made / f"{name}.ogg").open("ab") as file:
            file.write(name.encode())  # so that each is a recording of its own
        (made / f"{name}.txt").write_text(said.replace("[Mrs Hale]", f"[{person}]"))
    return made


def test_a_person_and_a_recording_are_gone_and_do_not_come_back(house: House, folder: Path) -> None:
    job = house.json("analyze", str(folder), "--keep-text")["job_id"]
    engine = make_engine(house.services.database_url)
    before = house.rows("SELECT * FROM utterance_emotions WHERE recording = 'theirs.ogg' ORDER BY utterance_no")
    ruth = "SELECT count(*) AS n FROM utterance_emotions WHERE recording = 'late.ogg' AND speaker = 'Agent Ruth'"
    hers, (of_ruth,) = (f"{folder}/hers.ogg", house.rows(ruth))
    assert {line.split(": ")[1] for line in in_database(engine, [CANARY, PERSON])} == {CANARY, PERSON}

    asked = house.run("erase", hers, code=1)
    assert "no terminal" in asked.stderr and "recordings" in asked.stderr
    house.run("erase", hers, "--yes")
    gone = house.json("erase", "--speaker", PERSON, "--yes")

    assert gone["plan"]["recordings"] == 1 and gone["erased"][0]["finished"]
    assert in_database(engine, [PERSON, "hers."]) == set()
    assert in_files(house.home, [PERSON, CANARY], POSTGRES) == set()
    assert house.rows("SELECT * FROM utterance_emotions WHERE recording = 'theirs.ogg' ORDER BY utterance_no") == before
    assert house.rows(ruth) == [of_ruth] and of_ruth["n"]
    assert house.json("status", str(job))["files"] == 2

    again = house.json("analyze", str(folder), "--keep-text")

    assert (again["done"], again["failed"], again["reused"]) == (2, 1, 2)
    (error,) = again["errors"]["recordings"]
    assert error["path"] == "hers.ogg" and error["code"] == "recording_erased" and "erased on 20" in error["error"]
    assert "1 of them erased before, not analysed" in house.run("status", str(again["job_id"])).stdout
    # With other options everything is aligned anew, and she is left out.
    other = house.json("analyze", str(folder), "--keep-text", "--language", "en")
    assert (other["done"], other["warnings"]) == (2, 1)
    assert in_database(engine, [PERSON]) == set()


def test_what_is_erased_while_workers_have_it_does_not_come_back(house: House, tmp_path: Path) -> None:
    # Given eight recordings on their way, one long enough to be worked on when it is erased
    archive = tmp_path / "busy"
    archive.mkdir()
    samples, rate = soundfile.read(SAMPLES / "lost-parcel.ogg", dtype="float32")
    for number in range(8):
        part = samples[rate * number :]
        write_wav(archive / f"{number}.wav", part, rate)
    engine, settings, before = make_engine(house.services.database_url), Settings(home=house.home), house.one(ORPHANS)
    job = int(house.run("enqueue", str(archive)).stdout)
    among = """
        SELECT f.recording_id FROM job_recordings r JOIN archive_files f ON f.id = r.file_id
         WHERE r.job_id = :j AND r.state = :s ORDER BY 1
    """

    # When one is erased while it is aligned, and one while it is scored
    for state in ("aligning", "scoring"):
        (row, *_) = house.wait(partial(house.rows, among, j=job, s=state), f"something is {state}")
        with engine.connect() as conn:
            chosen = erasing.choose(conn, [str(row["recording_id"])], None)
        assert erasing.erase(engine, settings, chosen).finished

    # Then the job ends with the six others, and nothing is left open
    assert house.ended(job) == "done"
    assert house.json("status", str(job))["done"] == 6 == len(house.rows(among, j=job, s="done"))
    assert house.rows("SELECT state FROM jobs WHERE state IN ('queued', 'running')") == []
    left = "SELECT count(*) FROM stages WHERE job_id = :j AND state NOT IN ('done', 'cancelled')"
    house.wait(lambda: house.one(left, j=job) == 0, "all stages are over")
    assert house.one(ORPHANS) == before
