"""Words of a transcript and passwords are found in no log, Flower page, event, message, error or metric."""

import json
import logging
import shutil
import urllib.request
from base64 import b64encode
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from db.engine import make_engine
from ops.local import home as homes
from tests.acceptance.house import SAMPLES, House
from workers import logs

#: Words that are in no dictionary, wherever a transcript may have them.
CANARY = "quixaloria"
PERSON = "Brundlewick"


@pytest.fixture(scope="module")
def told(house: House, tmp_path_factory: pytest.TempPathFactory) -> int:
    """A job about recordings whose transcripts hold the canary: sound, broken, somebody else's, and listed."""
    folder = tmp_path_factory.mktemp("archive") / "calls"
    folder.mkdir()
    said = (SAMPLES / "bereavement.txt").read_text().replace("afternoon", CANARY, 1).replace("Ruth", PERSON)
    for name in ("sound", "broken", "foreign", "listed", "json"):
        shutil.copy(SAMPLES / "bereavement.ogg", folder / f"{name}.ogg")
        with (folder / f"{name}.ogg").open("ab") as file:
            file.write(name.encode())  # so that each is a recording of its own
    (folder / "sound.txt").write_text(said)
    (folder / "broken.txt").write_text(said + f"\n9.0 8.0 [{PERSON}] {CANARY} ends before it begins\n{CANARY} : :\n")
    (folder / "foreign.txt").write_text(f"[{PERSON}] " + f"{CANARY} is what nobody ever said here. " * 20)
    (folder / "json.json").write_text(f'{{"segments": [{{"start": 0, "end": 2, "text": "{CANARY}')
    (folder / "manifest.csv").write_text(
        f'path,text,speaker\nlisted.ogg,"Good {CANARY}, what can I do for you?",{PERSON}\nabsent.ogg,{CANARY},\n'
    )
    return int(house.json("analyze", str(folder))["job_id"])


def test_the_canary_is_in_the_database_where_it_belongs(house: House, told: int) -> None:
    assert house.one("SELECT count(*) FROM utterances WHERE text LIKE :w", w=f"%{CANARY}%") > 0


def test_nothing_of_it_is_anywhere_else(house: House, told: int) -> None:
    for place, content in {**_logs(house), **_database(house), **_flower(house), **_printed(house, told)}.items():
        assert content, f"{place}: nothing was looked at"
        for word in (CANARY, PERSON):
            assert word.lower() not in content.lower(), f"{place} says {_around(content, word)}"


def test_no_password_is_anywhere(house: House, told: int) -> None:
    secrets = [value for value in asdict(homes.read_secrets(house.home)).values() if isinstance(value, str)]
    assert len(secrets) >= 5
    places = {**_logs(house), **_database(house), **_flower(house), **_printed(house, told), **_command_lines()}
    for place, content in places.items():
        for secret in secrets:
            assert secret not in content, f"{place} holds a password"


def test_log_lines_name_their_work(house: House, told: int) -> None:
    lines = [json.loads(line) for line in house.log("gpu").splitlines() if line.startswith("{")]

    (done, *_) = [line for line in lines if line.get("job") == told and line.get("stage") == "fuse"]
    assert {"batch", "stage_id", "attempt", "recordings", "timestamp", "level", "logger", "event"} <= done.keys()
    batch = house.rows("SELECT id FROM batches WHERE job_id = :j", j=told)
    assert done["batch"] in {row["id"] for row in batch}


@pytest.mark.parametrize("format", ["text", "json"])
def test_what_a_librarys_exception_quotes_does_not_get_into_a_line(format: logs.Format) -> None:
    def failing() -> None:
        raise ValueError(f"cannot read '{CANARY}'")

    record = logging.LogRecord("celery.app.trace", logging.ERROR, "", 1, "", (), None)
    try:
        failing()
    except ValueError as exc:
        record.exc_info = (type(exc), exc, exc.__traceback__)
        record.msg = "Task %(name)s[%(id)s] %(description)s: %(exc)s"
        record.args = {"name": "fuse.batch", "id": "7", "description": "raised unexpected", "exc": repr(exc)}
        line = logs.formatter(format).format(record)

    assert "ValueError" in line and "failing" in line
    assert CANARY not in line


def test_an_error_of_the_database_does_not_quote_its_parameters(database_url: str) -> None:
    with make_engine(database_url).connect() as conn, pytest.raises(DBAPIError) as said:
        conn.execute(text("INSERT INTO utterances (text) VALUES (:words)"), {"words": CANARY})

    assert "parameters" in str(said.value) and CANARY not in str(said.value).split("DETAIL")[0]


def test_the_embedded_database_logs_neither_statements_nor_rows(house: House) -> None:
    # Given statements that fail over their values, one of which names a row
    engine = make_engine(house.services.database_url)
    for statement in (
        "INSERT INTO archives (url) VALUES ('quixaloria'), ('quixaloria')",
        "SELECT CAST('quixaloria' AS integer)",
        "INSERT INTO utterances (alignment_id, utterance_no, text) VALUES (1, 1, 'quixaloria')",
    ):
        with engine.connect() as conn, pytest.raises(DBAPIError):
            conn.execute(text(statement))

    written = ((house.home / "postgres").resolve() / "server.log").read_text()
    assert "DETAIL" not in written and "STATEMENT" not in written


def test_a_log_stays_within_bounds_while_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(homes, "LOG_LIMIT", 1000)
    log = tmp_path / "gpu.log"
    with log.open("ab", buffering=0) as file:
        for number in range(200):
            file.write(f"line {number}\n".encode())
            homes.cut(log)
        assert log.read_text().endswith("line 199\n")

    assert log.stat().st_size <= 1100 and (tmp_path / "gpu.old.log").stat().st_size <= 1100


def _around(content: str, word: str) -> str:
    at = content.lower().index(word.lower())
    return content[max(0, at - 200) : at + 60]


def _logs(house: House) -> dict[str, str]:
    found = {path.name: path.read_text(errors="replace") for path in (house.home / "logs").glob("*.log")}
    assert {"gpu.log", "align.log", "ingest.log", "flower.log"} <= found.keys()
    server = (house.home / "postgres").resolve() / "server.log"
    # Servers may have had nothing to say.
    return {name: text for name, text in {**found, "server.log": server.read_text()}.items() if text}


def _database(house: House) -> dict[str, str]:
    """Whatever the database holds that is not about what was said."""
    queries = {
        "events": "SELECT string_agg(e::text, ' ') FROM events e",
        "stages": "SELECT string_agg(s::text, ' ') FROM stages s",
        "jobs": "SELECT string_agg(j::text, ' ') FROM jobs j",
        "job_recordings": "SELECT string_agg(r::text, ' ') FROM job_recordings r",
        "manifest_problems": "SELECT string_agg(p::text, ' ') FROM manifest_problems p",
        "alignments' errors": "SELECT string_agg(concat(error, quality), ' ') FROM alignments",
    }
    found = {name: str(house.one(query)) for name, query in queries.items()}
    redis = house.redis()
    held = [redis.dump(key) for key in redis.keys("*")]
    return found | {"redis": repr(held)}


def _flower(house: House) -> dict[str, str]:
    services = house.services
    login = b64encode(f"{services.flower_user}:{services.flower_password}".encode()).decode()
    pages = {}
    tasks = [row["task_id"] for row in house.rows("SELECT DISTINCT task_id FROM stages WHERE task_id IS NOT NULL")]
    for path in ["tasks", *(f"task/{task}" for task in tasks)]:
        request = urllib.request.Request(f"{services.flower_url}/{path}", headers={"Authorization": f"Basic {login}"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            pages[f"Flower's {path}"] = answer.read().decode()
    assert any("fuse.batch" in page for page in pages.values())
    return pages


def _printed(house: House, job: int) -> dict[str, str]:
    commands: dict[str, tuple[str, ...]] = {
        "tenor status": ("status", str(job), "--json"),
        "tenor errors": ("errors", str(job), "--json"),
        "metrics": ("metrics", "--once"),
    }
    return {name: house.run(*command).stdout for name, command in commands.items()}


def _command_lines() -> dict[str, str]:
    """Those of every process, which everybody on the machine can read."""
    found: dict[str, Any] = {}
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found[str(path)] = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
    return found
