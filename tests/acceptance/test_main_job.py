"""The main job as a user sees it: a folder in, emotion in SQL out."""

import itertools
import json
import re
import urllib.request
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.house import SAMPLES, House

STAGES = ("extract", "ser", "ter", "fuse")


def test_a_folder_becomes_rows_whose_probabilities_sum_to_one(
    house: House, archive: Path, analysed: dict[str, Any]
) -> None:
    rows = house.json("sql", f"select * from utterance_emotions where profile = 'mini' and archive = '{archive}'")

    assert len(rows) == analysed["utterances"] > 40
    for row in rows:
        assert row["speaker"] and row["end_s"] > row["start_s"] >= 0
        for side in ("p", "speech"):
            assert sum(v for k, v in row.items() if k.startswith(f"{side}_")) == pytest.approx(1, abs=1e-3)
        if row["text"]:
            assert sum(v for k, v in row.items() if k.startswith("text_")) == pytest.approx(1, abs=1e-3)
        else:
            assert row["text_angry"] is None and "no_text" in row["quality"]


def test_speakers_times_and_words_come_from_the_transcript(
    house: House, archive: Path, analysed: dict[str, Any]
) -> None:
    rows = house.rows(
        """
        SELECT u.start_s, u.end_s, u.text, u.words, u.channel, s.name FROM utterances u
          JOIN speakers s ON s.id = u.speaker_id JOIN alignments a ON a.id = u.alignment_id
          JOIN archive_files f ON f.id = a.source_file_id JOIN archives v ON v.id = f.archive_id
         WHERE f.path = 'bereavement.ogg' AND v.url = :archive ORDER BY u.start_s
        """,
        archive=str(archive),
    )
    lines = [line.split("]", 1) for line in (SAMPLES / "bereavement.txt").read_text().splitlines() if "]" in line]

    assert {row["name"] for row in rows} == {line[0].split("[", 1)[1] for line in lines}
    assert {row["channel"] for row in rows} == {0, 1}, "a two-party call has each party on its own channel"
    with_words = [row for row in rows if row["words"]]
    assert len(with_words) >= 0.8 * len(rows)
    for row in with_words:
        first, last = row["words"][0], row["words"][-1]
        assert row["start_s"] - 0.3 <= first[1] < last[2] <= row["end_s"] + 0.3
        assert len(row["words"]) <= len(row["text"].split()) + 2


def test_the_corrupt_recording_is_named_and_the_rest_is_done(house: House, analysed: dict[str, Any]) -> None:
    assert analysed["failed"] == 1
    assert analysed["done"] == analysed["files"] - 1

    listed = house.run("errors", str(analysed["job_id"])).stdout
    assert "voicemail.ogg" in listed and "audio_unreadable" in listed


def test_every_stage_of_a_batch_has_the_jobs_root_id_in_the_database_and_in_flower(
    house: House, analysed: dict[str, Any]
) -> None:
    assert_one_root(house, int(analysed["job_id"]))


def assert_one_root(house: House, job_id: int) -> None:
    """All stages carry the root; Flower saw their messages with it, each a child of the one before."""
    root = str(house.one("SELECT root_id FROM jobs WHERE id = :j", j=job_id))
    stages = house.rows(
        "SELECT stage, batch_id, state, root_id, parent_id, task_id FROM stages WHERE job_id = :j", j=job_id
    )
    assert {row["stage"] for row in stages} == {"ingest", "align", *STAGES}
    assert {str(row["root_id"]) for row in stages} == {root}
    assert {row["state"] for row in stages} == {"done"}
    for batch in {row["batch_id"] for row in stages if row["batch_id"]}:
        chain = {row["stage"]: row for row in stages if row["batch_id"] == batch}
        for before, after in itertools.pairwise(STAGES):
            assert chain[after]["parent_id"] == chain[before]["task_id"]
    known = house.wait(lambda: _in_flower(house, {str(row["task_id"]) for row in stages}), "Flower knows the tasks", 20)
    assert {task["root_id"] for task in known.values()} == {root}


def _in_flower(house: House, task_ids: set[str]) -> dict[str, Any] | None:
    services = house.services
    request = urllib.request.Request(f"{services.flower_url}/api/tasks?limit=10000")
    login = b64encode(f"{services.flower_user}:{services.flower_password}".encode()).decode()
    request.add_header("Authorization", f"Basic {login}")
    with urllib.request.urlopen(request, timeout=10) as answer:
        tasks = json.load(answer)
    found = {task_id: tasks[task_id] for task_id in task_ids if task_id in tasks}
    return found if len(found) == len(task_ids) else None


def test_the_same_archive_again_is_not_analysed_again_but_shown(
    house: House, archive: Path, analysed: dict[str, Any]
) -> None:
    before = house.one("SELECT count(*) FROM batches")

    again = house.json("analyze", str(archive))

    assert again["reused"] == again["done"] == analysed["done"]
    assert house.one("SELECT count(*) FROM batches") == before
    assert house.one("SELECT count(*) FROM groups WHERE job_id = :j", j=again["job_id"]) == 0
    assert house.values(again["job_id"]) == house.values(int(analysed["job_id"]))


def test_a_second_profile_adds_rows_beside_the_first(house: House, archive: Path, analysed: dict[str, Any]) -> None:
    first = house.values(int(analysed["job_id"]))

    second = house.json("analyze", str(archive), "--profile", "mini-speech-only")

    assert house.one("SELECT count(*) FROM groups WHERE job_id = :j", j=second["job_id"]) == 0, "alignments are shared"
    counted = f"select profile, count(*) as n from utterance_emotions where archive = '{archive}' group by 1 order by 1"
    rows = house.json("sql", counted)
    assert rows == [{"profile": "mini", "n": len(first)}, {"profile": "mini-speech-only", "n": len(first)}]
    assert house.values(int(analysed["job_id"])) == first
    alone = house.values(second["job_id"])
    # By voice alone, fused is speech; the speech side is the same model in both profiles.
    for key, values in alone.items():
        assert values[:7] == values[7:14] == pytest.approx(first[key][7:14], abs=1e-5)


def test_views_roll_up_what_utterances_say(house: House, archive: Path, analysed: dict[str, Any]) -> None:
    chosen = "profile = 'mini' AND archive = :archive"
    weighted = house.rows(
        """
        SELECT recording, sum(p_angry * (end_s - start_s)) / sum(end_s - start_s) AS p_angry, count(*) AS utterances
          FROM utterance_emotions WHERE profile = 'mini' AND archive = :archive GROUP BY recording
        """,
        archive=str(archive),
    )
    rolled = {
        row["recording"]: row
        for row in house.rows(f"SELECT * FROM conversation_emotions WHERE {chosen}", archive=str(archive))
    }
    assert len(weighted) == len(rolled) == analysed["done"]
    for row in weighted:
        assert rolled[row["recording"]]["p_angry"] == pytest.approx(row["p_angry"], abs=1e-4)
        assert rolled[row["recording"]]["utterances"] == row["utterances"]
    for view in ("speaker_emotions", "emotion_timeline"):
        seconds = house.one(f"SELECT sum(speech_s) FROM {view} WHERE {chosen}", archive=str(archive))
        assert seconds == pytest.approx(sum(row["speech_s"] for row in rolled.values()), rel=1e-3)


def test_a_report_of_a_call_has_its_sound_its_utterances_and_when_its_words_are_heard(
    house: House, analysed: dict[str, Any], tmp_path: Path
) -> None:
    place, job = tmp_path / "call.html", str(analysed["job_id"])

    made = house.json("report", "bereavement.ogg", "--job", job, "--out", str(place))
    html = place.read_text(encoding="utf-8")

    said = [line.split("] ", 1)[1] for line in (SAMPLES / "bereavement.txt").read_text().splitlines() if "] " in line]
    assert (made["utterances"], made["silent"]) == (len(said), None)
    assert html.count("<tr id=") == len(said) and 'class="wave"' in html
    words = re.findall(r'<span title="[\d:.]+–[\d:.]+">([^<]+)</span>', html)
    assert len(words) >= 0.8 * sum(len(line.split()) for line in said)
    assert not {word for word in words if word not in " ".join(said)}


def test_the_analyst_may_read_views_and_nothing_else(house: House, analysed: dict[str, Any]) -> None:
    for statement in ("select * from utterances", "update jobs set priority = 9", "drop view job_emotions"):
        refused = house.run("sql", statement, code=1)
        assert "Traceback" not in refused.stderr and refused.stderr.strip()
