"""Erasing: nothing of it is left anywhere, nothing else is missing, and it does not come back."""

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import ProgrammingError

from db import erasures
from db.engine import make_engine
from db.errors import LeaseLost, NotFound
from db.labels import LabelRow, write_labels
from ml.alignment.types import Alignment, Speaker, Utterance
from ml.corpora.registry import corpus
from ops import erasing, jobs
from tests.corpora.acted import write_ravdess
from tests.integration.cli_world import Tenor
from tests.integration.finding import in_database, in_files
from tests.integration.planting import Plant, distribution
from tests.integration.walking import Walker
from tests.integration.working import ROOT, TRIES
from tests.waiting import until
from workers import context
from workers.archives.members import Member
from workers.archives.packed import Store
from workers.erasing import erase as steps
from workers.erasing.choosing import Chosen, RecordingAmbiguous
from workers.labelling.corpora import import_labels
from workers.ledger import claims, dispatch
from workers.ledger.claims import Claim
from workers.ledger.units import Member as Part
from workers.ledger.units import add_batch, add_group
from workers.settings import Settings
from workers.stages import align, batch

ANGRY, HAPPY, SAD = distribution(angry=1.0), distribution(happy=1.0), distribution(sad=1.0)
#: What is found of the two that are erased in these tests, in whatever table.
WORDS = ("quixaloria", "Brundlewick", "zorbulent")


@dataclass
class Calls:
    """`/calls/may/1.wav`: Brundlewick and Ruth. `/calls/june/2.wav`: Ruth and, shortly, Brundlewick; each labelled."""

    engine: Engine
    settings: Settings
    archive: int
    version: int
    job: int
    recordings: list[int]
    sums: list[str]

    def rows(self, query: str, **values: Any) -> list[dict[str, Any]]:
        with self.engine.connect() as conn:
            return [dict(row) for row in conn.execute(text(query), values).mappings()]

    def choose(self, *recordings: str, speaker: str | None = None) -> Chosen:
        with self.engine.connect() as conn:
            return erasing.choose(conn, recordings, speaker)

    def erase(self, *recordings: str, speaker: str | None = None) -> erasing.Erased:
        return erasing.erase(self.engine, self.settings, self.choose(*recordings, speaker=speaker))


@pytest.fixture
def calls(database_url: str, tmp_path: Path) -> Iterator[Calls]:
    engine = make_engine(database_url)
    settings = Settings(home=tmp_path / "home")
    with engine.begin() as conn:
        plant = Plant(conn)
        version = plant.version(plant.profile(), 1, champion=True)
        archive = plant.archive("/calls")
        job = plant.job(archive, version, state="done", options=json.dumps({"only": "may/Brundlewick.wav"}),
                        walked_to="may/Brundlewick.wav")  # fmt: skip
        conn.execute(text("UPDATE jobs SET ingested_at = now()"))
        scored = plant.batch(job, version)
        recordings, sums = [], []
        for path, spoken, fused in (
            (
                "may/Brundlewick.wav",
                [("Brundlewick", 0.0, 2.0, "quixaloria"), ("Ruth", 2.0, 4.0, "hello zorbulent")],
                [ANGRY, HAPPY],
            ),
            ("june/2.wav", [("Ruth", 0.0, 3.0, "good day"), ("Brundlewick", 3.0, 4.0, "quixaloria")], [SAD, ANGRY]),
        ):
            recording = plant.recording(10.0)
            file = plant.file(archive, path, recording, metadata=json.dumps({"caller": "Brundlewick", "line": "7"}))
            alignment = plant.alignment(recording, file, spoken)
            plant.score(alignment, version, scored, fused)
            add_members(conn, scored, alignment, len(spoken), version)
            plant.link(job, file, "done", recording_id=recording, alignment_id=alignment, profile_version_id=version)
            recordings.append(recording)
            sums.append(plant.rows("SELECT sha256 FROM recordings WHERE id = :r", r=recording)[0]["sha256"])
            for label in ("sad", "angry"):  # the first of them is replaced
                write_labels(conn, [
                    LabelRow(recording, start, end, "Kim", "archive", f"{sums[-1][:16]}@{start}", label, *[None] * 3,
                             named, None, None, None, None, note=f"{text_} sounds {label}", shares=None)
                    for start, end, named, text_ in (
                        (0.0, 2.0, None, spoken[0][3]), (2.5, 4.0, f"archive-{spoken[1][0]}", spoken[1][3]))
                ])  # fmt: skip
    yield Calls(engine, settings, archive, version, job, recordings, sums)
    engine.dispose()


def add_members(conn: Any, batch_id: int, alignment: int, count: int, version: int) -> None:
    conn.execute(
        text("INSERT INTO batch_members VALUES (:b, :a, 0, :last, :v)"),
        {"b": batch_id, "a": alignment, "last": count - 1, "v": version},
    )
    conn.execute(
        text("UPDATE batches SET finished_at = now(), utterances = 4, seconds = 8 WHERE id = :b"), {"b": batch_id}
    )


# ----- recordings


def test_nothing_of_erased_recordings_is_in_any_table(calls: Calls) -> None:
    words = {*WORDS, "Ruth", *calls.sums, *(sha256[:16] for sha256 in calls.sums)}
    assert {line.split(": ")[1] for line in in_database(calls.engine, words)} == words

    done = calls.erase("/calls")

    assert done.finished and done.counts["recordings"] == 2 and done.counts["utterances"] == 4
    assert done.counts["labels"] == 8
    assert in_database(calls.engine, {*words, "/calls"}) == set()


def test_what_is_not_erased_stays_as_it_is(calls: Calls) -> None:
    of_june = "SELECT * FROM utterance_emotions WHERE recording = 'june/2.wav' ORDER BY utterance_no"
    before, labels = (
        calls.rows(of_june),
        calls.rows("SELECT * FROM labels WHERE recording_id = :r", r=calls.recordings[1]),
    )

    calls.erase("/calls/may")

    assert calls.rows(of_june) == before and len(before) == 2
    assert calls.rows("SELECT * FROM labels") == labels
    # Somebody who speaks elsewhere too is still somebody.
    assert [row["name"] for row in calls.rows("SELECT name FROM speakers ORDER BY 1")] == ["Brundlewick", "Ruth"]
    assert in_database(calls.engine, ["zorbulent", calls.sums[0][:16], "may/"]) == set()


@pytest.mark.parametrize("how", ["/calls/may/Brundlewick.wav", "may/Brundlewick.wav", "/calls/may", "{id}"])
def test_recordings_go_by_path_folder_and_number(calls: Calls, how: str) -> None:
    assert calls.choose(how.format(id=calls.recordings[0])).recordings == (calls.recordings[0],)


@pytest.mark.parametrize("how", ["/calls/ma", "/elsewhere", "nothing.wav", "999"])
def test_what_was_never_enqueued_cannot_be_erased(calls: Calls, how: str) -> None:
    with pytest.raises(NotFound):
        calls.choose(how)


def test_a_path_that_means_several_recordings_is_refused(calls: Calls) -> None:
    with calls.engine.begin() as conn:
        plant = Plant(conn)
        plant.file(plant.archive("/others"), "june/2.wav", plant.recording())

    with pytest.raises(RecordingAmbiguous):
        calls.choose("june/2.wav")
    assert calls.choose("/calls/june/2.wav").recordings == (calls.recordings[1],)


def test_a_plan_says_that_a_content_lies_elsewhere_too(calls: Calls, database_url: str) -> None:
    with calls.engine.begin() as conn:
        plant = Plant(conn)
        plant.file(plant.archive("/others"), "copy.wav", calls.recordings[1])

    shown = Tenor(database_url, calls.settings.home)("erase", "/calls/june", "--dry-run").stdout
    assert "recordings   1, in 2 files of 2 archives" in shown


def test_what_a_replaced_file_held_goes_with_its_path(calls: Calls) -> None:
    with calls.engine.begin() as conn:
        replaced = Plant(conn).recording()
        conn.execute(text("UPDATE archive_files SET recording_id = :r WHERE path LIKE 'may/%'"), {"r": replaced})

    assert set(calls.choose("/calls/may").recordings) == {calls.recordings[0], replaced}
    # By its number, it goes alone; the path is that of another recording by now, but an old job of it says it too.
    calls.erase(str(replaced))
    assert in_database(calls.engine, ["may/"]) == set()
    assert len(calls.rows("SELECT FROM recordings")) == 2


def test_a_jobs_counts_are_those_of_what_is_left(calls: Calls) -> None:
    calls.erase("/calls/may")

    with calls.engine.connect() as conn:
        status = jobs.status(conn, calls.job)
    assert (status.files, status.done, status.failed, status.utterances, status.state) == (1, 1, 0, 2, "done")


# ----- a person


def test_nothing_of_an_erased_person_is_in_any_table_but_what_is_called_so(calls: Calls) -> None:
    calls.erase(speaker="Brundlewick")

    # A file's name is the archive's, and names itself.
    named = {"archive_files: Brundlewick", "jobs: Brundlewick"}
    assert in_database(calls.engine, ["quixaloria", "Brundlewick"]) == named


def test_of_others_in_the_same_recording_everything_stays(calls: Calls) -> None:
    voices = "SELECT recording, utterance_no, speaker, text, p_sad, p_happy FROM utterance_emotions ORDER BY recording"

    done = calls.erase(speaker="Brundlewick")

    assert done.counts["utterances"] == 2 and done.counts["seconds"] == 3.0
    assert calls.rows(voices) == [
        {"recording": "june/2.wav", "utterance_no": 0, "speaker": "Ruth", "text": "good day", "p_sad": 1, "p_happy": 0},
        {"recording": "may/Brundlewick.wav", "utterance_no": 1, "speaker": "Ruth", "text": "hello zorbulent",
         "p_sad": 0, "p_happy": 1},
    ]  # fmt: skip
    # Of labels: the one that names her, and the one on what she says.
    kept = calls.rows("SELECT recording_id, start_s FROM labels ORDER BY 1")
    assert kept == [
        {"recording_id": calls.recordings[0], "start_s": 2.5},
        {"recording_id": calls.recordings[1], "start_s": 0},
    ]
    assert len(calls.rows("SELECT FROM replaced_labels")) == 2
    assert calls.rows("SELECT label, utterances FROM recording_scores ORDER BY alignment_id") == [
        {"label": "happy", "utterances": 1}, {"label": "sad", "utterances": 1},
    ]  # fmt: skip
    assert calls.rows("SELECT metadata FROM archive_files")[0]["metadata"] == {"line": "7"}


def test_a_recording_in_which_nobody_else_speaks_fails_for_that_reason(calls: Calls) -> None:
    calls.erase(speaker="Brundlewick")
    calls.erase(speaker="Ruth")

    assert (
        calls.rows("SELECT state, error_code FROM job_recordings")
        == [{"state": "failed", "error_code": "speaker_erased"}] * 2
    )
    assert calls.rows("SELECT FROM scores") == calls.rows("SELECT FROM utterances") == []


def test_somebody_unknown_cannot_be_erased(calls: Calls) -> None:
    with pytest.raises(NotFound, match=r"labels$"):
        calls.choose(speaker="Nobody")
    with pytest.raises(NotFound, match=r"perhaps Brundlewick$"):
        calls.choose(speaker="brundlewik")


def test_an_erased_person_is_left_out_of_what_is_aligned_later(calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    calls.erase(speaker="Brundlewick")
    monkeypatch.setattr(context, "settings", lambda: calls.settings)

    def aligned(*people: str) -> int:
        """A recording in which each of these says something, aligned as a worker does."""
        with calls.engine.begin() as conn:
            plant = Plant(conn)
            job = plant.job(calls.archive, calls.version)
            recording = plant.recording()
            file = plant.file(calls.archive, uuid.uuid4().hex, recording)
            options = json.dumps({"keep_text": True, "speaker": people[0]})
            pending = plant.row(
                "alignments", recording_id=recording, transcript_sha256="", options_hash="x", options=options,
                source_file_id=file,
            )  # fmt: skip
            plant.link(job, file, "aligning", recording_id=recording, alignment_id=pending)
            said = tuple(
                Utterance(number, name, number, number + 1.0, text=f"quixaloria {number}")
                for number, name in enumerate(people)
            )
            voices = {name: Speaker(name, True, np.zeros(256, np.float32)) for name in people}
            member = Member(pending, recording, "", 1.0, json.loads(options), Path(), None, 1, 1)
            claim = Claim(1, "align", job, None, None, 1, "", ROOT, uuid.uuid4())
            align._commit(conn, claim, [(member, Alignment(10.0, "x", "en", voices, said))])
            return pending

    both, alone = aligned("Brundlewick", "Ruth", "Ruth"), aligned("Brundlewick")

    assert calls.rows("SELECT utterance_no, text FROM utterances WHERE alignment_id = :a", a=both) == [
        {"utterance_no": 0, "text": "quixaloria 1"}, {"utterance_no": 1, "text": "quixaloria 2"},
    ]  # fmt: skip
    codes = calls.rows("SELECT state, error_code FROM alignments WHERE id >= :a ORDER BY id", a=both)
    assert codes == [
        {"state": "done", "error_code": "speaker_erased"},
        {"state": "failed", "error_code": "speaker_erased"},
    ]
    assert [row["name"] for row in calls.rows("SELECT name FROM speakers")] == ["Ruth"]
    assert calls.rows("SELECT options FROM alignments WHERE id = :a", a=both)[0]["options"] == {"keep_text": True}
    assert alone


# ----- killed, again, at the same time


def test_an_erasure_that_is_killed_midway_is_gone_on_with(calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "CHUNK", 1)
    chosen = calls.choose("/calls")

    def killed(left: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        erasing.erase(calls.engine, calls.settings, chosen, advance=killed)
    assert len(calls.rows("SELECT FROM recordings")) == 1

    (done,) = erasing.resume(calls.engine, calls.settings)

    assert done.finished and done.counts["recordings"] == 2
    assert in_database(calls.engine, {*WORDS, *calls.sums}) == set()
    assert erasing.resume(calls.engine, calls.settings) == []


def test_one_that_is_killed_between_rows_and_files_still_finds_the_files(
    calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = calls.settings.models / "clips" / "0" / f"{calls.sums[0][:16]}-00000000-00002000.flac"
    other = clip.with_name(f"{'0' * 16}-00000000-00002000.flac")
    for path in (clip, other, calls.settings.models / "voices" / "whole-voice-1.npy"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"sound")
    real = steps.files.remove
    monkeypatch.setattr(steps.files, "remove", lambda *_: (_ for _ in ()).throw(PermissionError(13, "denied", "x")))
    with pytest.raises(steps.ErasureUnfinished):
        calls.erase("/calls/may")
    assert clip.exists() and len(calls.rows("SELECT FROM recordings")) == 1

    monkeypatch.setattr(steps.files, "remove", real)
    (done,) = erasing.resume(calls.engine, calls.settings)

    assert done.finished and done.counts["clips"] == 1
    assert [path.name for path in calls.settings.models.rglob("*") if path.is_file()] == [other.name]


def test_a_worker_that_commits_late_loses_its_lease_and_its_batch_goes_on_without(calls: Calls) -> None:
    # Given a job whose batch holds a recording that is to be erased and one that is not, while a worker encodes it
    settings = Settings(home=calls.settings.home)
    with calls.engine.begin() as conn:
        plant = Plant(conn)
        job = plant.job(calls.archive, calls.version)
        conn.execute(text("UPDATE jobs SET ingested_at = now() WHERE id = :j"), {"j": job})
        parts, files = [], []
        for path in ("late/gone.wav", "late/left.wav"):
            recording = plant.recording(10.0)
            files.append(plant.file(calls.archive, path, recording))
            alignment = plant.alignment(recording, files[-1], [("Ann", 0.0, 1.0, "word"), ("Ben", 1.0, 2.0, "word")])
            conn.execute(
                text("INSERT INTO recording_scores (alignment_id, profile_version_id) VALUES (:a, :v)"),
                {"a": alignment, "v": calls.version},
            )
            plant.link(job, files[-1], "scoring", recording_id=recording, alignment_id=alignment,
                       profile_version_id=calls.version)  # fmt: skip
            parts.append(Part(alignment, 0, 1))
        add_batch(conn, job, calls.version, parts, 4.0, ROOT, None)
        (stage_id,) = dispatch.admit(conn, settings)
        late = claims.claim(conn, stage_id, uuid.uuid4(), lease_s=60, max_tries=TRIES)
    assert late is not None

    # When it is erased before the worker commits
    calls.erase("late/gone.wav")

    # Then the commit is refused, and the batch begins anew with the other one
    with pytest.raises(LeaseLost), calls.engine.begin() as conn:
        claims.finish(conn, late, "encoded")
    (row,) = calls.rows("SELECT utterances, finished_at FROM batches WHERE id = :b", b=late.batch_id)
    assert row == {"utterances": 2, "finished_at": None}
    assert {row["alignment_id"] for row in calls.rows("SELECT alignment_id FROM batch_members WHERE batch_id = :b",
                                                      b=late.batch_id)} == {parts[1].alignment_id}  # fmt: skip
    stages = {row["stage"]: row["state"] for row in calls.rows("SELECT stage, state FROM stages WHERE batch_id = :b",
                                                              b=late.batch_id)}  # fmt: skip
    assert stages == {"extract": "ready", "ser": "waiting", "ter": "waiting", "fuse": "waiting"}

    # And the job ends when nothing of it is left
    calls.erase("late/left.wav")
    assert calls.rows("SELECT state FROM jobs WHERE id = :j", j=job) == [{"state": "done"}]
    assert calls.rows("SELECT count(*) AS n FROM stages WHERE batch_id = :b AND state <> 'cancelled'",
                      b=late.batch_id) == [{"n": 0}]  # fmt: skip


def test_a_person_who_is_erased_while_a_batch_runs_leaves_a_job_that_ends(calls: Calls) -> None:
    with calls.engine.begin() as conn:
        plant = Plant(conn)
        job = plant.job(calls.archive, calls.version)
        conn.execute(text("UPDATE jobs SET ingested_at = now() WHERE id = :j"), {"j": job})
        recording = plant.recording(10.0)
        file = plant.file(calls.archive, "late.wav", recording)
        alignment = plant.alignment(recording, file, [("Cy", 0.0, 1.0, "a"), ("Brundlewick", 1.0, 2.0, "quixaloria")])
        plant.score(alignment, calls.version, plant.batch(job, calls.version), [ANGRY], state="pending")
        plant.link(job, file, "scoring", recording_id=recording, alignment_id=alignment,
                   profile_version_id=calls.version)  # fmt: skip
        # Of its two batches, the one with Cy is scored.
        add_batch(conn, job, calls.version, [Part(alignment, 1, 1)], 1.0, ROOT, None)
        (stage_id,) = dispatch.admit(conn, Settings())
        late = claims.claim(conn, stage_id, uuid.uuid4(), lease_s=60, max_tries=TRIES)
    assert late is not None

    calls.erase(speaker="Brundlewick")

    with pytest.raises(LeaseLost), calls.engine.begin() as conn:
        claims.finish(conn, late, "encoded")
    assert calls.rows("SELECT state FROM jobs WHERE id = :j", j=job) == [{"state": "done"}]
    assert calls.rows("SELECT label, utterances FROM recording_scores WHERE alignment_id = :a", a=alignment) == [
        {"label": "angry", "utterances": 1}
    ]


def test_an_alignment_that_comes_late_is_dropped_and_its_neighbours_are_kept(
    calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(context, "settings", lambda: calls.settings)
    with calls.engine.begin() as conn:
        plant = Plant(conn)
        job = plant.job(calls.archive, calls.version)
        members = []
        for path in ("late/gone.wav", "late/left.wav"):
            recording = plant.recording(10.0)
            file = plant.file(calls.archive, path, recording)
            pending = plant.row(
                "alignments", recording_id=recording, options_hash="x", options="{}", source_file_id=file
            )
            plant.link(job, file, "aligning", recording_id=recording, alignment_id=pending)
            members.append(Member(pending, recording, "", 1.0, {}, Path(), None, 1, 1))
        add_group(conn, job, [(member.alignment_id, 1.0) for member in members], ROOT, None)
        (stage_id,) = dispatch.admit(conn, Settings())
        claim = claims.claim(conn, stage_id, uuid.uuid4(), lease_s=60, max_tries=TRIES)
    assert claim is not None
    calls.erase("late/gone.wav")

    spoken = (Utterance(0, "Brundlewick", 0.0, 1.0, text="quixaloria"),)
    voices = {"Brundlewick": Speaker("Brundlewick", True, np.zeros(256, np.float32))}
    found = Alignment(1.0, "x", "en", voices, spoken)
    with calls.engine.begin() as conn:
        claims.finish(conn, claim, "aligned")
        align._commit(conn, claim, [(member, found) for member in members])

    heard = {row["alignment_id"] for row in calls.rows("SELECT alignment_id FROM utterances WHERE text = 'quixaloria'"
                                                       " AND utterance_no = 0")}  # fmt: skip
    assert members[1].alignment_id in heard and members[0].alignment_id not in heard


def test_a_batch_of_which_nothing_is_left_ends_with_its_extraction(calls: Calls) -> None:
    with calls.engine.begin() as conn:
        plant = Plant(conn)
        job = plant.job(calls.archive, calls.version)
        made = plant.batch(job, calls.version)
        claim = Claim(1, "extract", job, None, made, 1, "", ROOT, uuid.uuid4())

        batch.close_empty(conn, claim)

        assert plant.rows("SELECT utterances FROM batches WHERE id = :b AND finished_at IS NOT NULL", b=made)


# ----- enqueued again


def test_an_erased_recording_that_is_enqueued_again_is_not_analysed_until_it_is_allowed(
    walker: Walker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.unit.silence import write_silence

    folder = tmp_path / "archive"
    folder.mkdir()
    for number, name in enumerate(("a.wav", "b.wav")):
        write_silence(folder / name, level=number)
    walker.walk(folder)
    with walker.engine.connect() as conn:
        chosen = erasing.choose(conn, [str(folder / "a.wav")], None)
    done = erasing.erase(walker.engine, walker.settings, chosen)

    again = walker.files(walker.walk(folder))

    assert {path: row["state"] for path, row in again.items()} == {"a.wav": "failed", "b.wav": "aligning"}
    assert again["a.wav"]["error_code"] == "recording_erased"
    with walker.engine.connect() as conn:
        (erasure,) = erasing.listed(conn)
        assert jobs.recent(conn)[0].erased == 1
    assert f"erased on {erasure.erased_at:%Y-%m-%d}, not analysed" in again["a.wav"]["error"]
    # Of the same content elsewhere, nothing but the path is kept.
    (row,) = walker.rows("SELECT * FROM archive_files WHERE path = 'a.wav'")
    assert row["recording_id"] is None and row["metadata"] == {} and len(walker.rows("SELECT FROM recordings")) == 1

    erasing.allow(walker.engine, done.erasure)

    assert walker.files(walker.walk(folder))["a.wav"]["state"] == "aligning"
    with pytest.raises(NotFound):
        erasing.allow(walker.engine, done.erasure + 1)


def test_a_person_who_is_allowed_again_comes_back_with_the_next_alignment_only(calls: Calls) -> None:
    hashes = [row["options_hash"] for row in calls.rows("SELECT options_hash FROM alignments")]
    done = calls.erase(speaker="Brundlewick")
    assert [row["options_hash"] for row in calls.rows("SELECT options_hash FROM alignments")] == hashes

    erasing.allow(calls.engine, done.erasure)

    assert not {row["options_hash"] for row in calls.rows("SELECT options_hash FROM alignments")} & set(hashes)
    assert len(calls.rows("SELECT FROM utterance_emotions")) == 2
    with calls.engine.connect() as conn:
        assert erasures.erased(conn, "person", ["Brundlewick"]) == {}


# ----- files


def test_what_was_unpacked_of_a_zip_file_goes_too(calls: Calls) -> None:
    with calls.engine.begin() as conn:
        conn.execute(text("UPDATE archives SET packed_sha256 = 'abc', packed_bytes = 1, packed_mtime_ns = 1"))
    place = Store.of(calls.settings).place("abc")
    for name in ("may/Brundlewick.wav", "june/2.wav"):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text("quixaloria")

    # A job that works on the archive needs the rest of it.
    with calls.engine.begin() as conn:
        conn.execute(text("UPDATE jobs SET state = 'running', ingested_at = NULL"))
    calls.erase("/calls/may")
    assert [path.name for path in place.rglob("*") if path.is_file()] == ["2.wav"]

    with calls.engine.begin() as conn:
        conn.execute(text("UPDATE jobs SET state = 'done', ingested_at = now()"))
    calls.erase(speaker="Brundlewick")
    assert in_files(calls.settings.home, WORDS) == set() and not place.exists()


# ----- who may, and how


def test_an_analyst_cannot_erase(calls: Calls, analyst_url: str) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"):
        erasing.erase(make_engine(analyst_url), calls.settings, Chosen(recordings=tuple(calls.recordings)))
    for table in ("erasures", "erased_marks"):
        with pytest.raises(ProgrammingError, match="permission denied"), make_engine(analyst_url).connect() as conn:
            conn.execute(text(f"SELECT * FROM {table}"))


def test_the_command_shows_its_plan_asks_and_tells(calls: Calls, database_url: str) -> None:
    tenor = Tenor(database_url, calls.settings.home)

    plan = json.loads(tenor("erase", "/calls/may", "--dry-run", "--json").stdout)
    assert plan["plan"]["recordings"] == 1 and plan["plan"]["utterances"] == 2 and plan["plan"]["labels"] == 4
    person = json.loads(tenor("erase", "--speaker", "Brundlewick", "--dry-run", "--json").stdout)["plan"]
    assert (person["recordings"], person["utterances"], person["seconds"], person["labels"]) == (2, 2, 3, 4)
    assert (person["mentions"], person["paths"]) == (0, 1)
    asked = tenor("erase", "/calls/may", stdin="y\n")
    assert (
        asked.returncode == 1 and "there is no terminal to ask at" in asked.stderr and "archive itself" in asked.stderr
    )
    assert len(calls.rows("SELECT FROM recordings")) == 2 and calls.rows("SELECT FROM erasures") == []

    done = tenor("erase", "/calls/may", "--yes")
    assert done.returncode == 0 and "Erasure 1: 1 recordings, 2 utterances, 4 labels, 0 clips are gone" in done.stdout
    gone = json.loads(tenor("erase", "/calls/may", "--yes", "--json").stdout)
    assert gone["error"]["code"] == "not_found"
    assert "recordings" in tenor("erase", "--list").stdout
    assert tenor("erase", "--allow", "1").returncode == 0
    assert tenor("erase", "/calls", "--speaker", "Ruth").returncode == 2
    assert json.loads(tenor("erase", "--json").stdout)["error"]["code"] == "nothing_to_erase"


def test_words_of_others_that_hold_the_name_are_counted_and_stay(calls: Calls) -> None:
    with calls.engine.begin() as conn:
        conn.execute(text("UPDATE utterances SET text = 'thanks, brundlewick.' WHERE text = 'good day'"))
        plan = erasing.plan(conn, calls.settings, erasing.choose(conn, [], "Brundlewick"))

    assert plan.mentions == 1
    calls.erase(speaker="Brundlewick")
    assert len(calls.rows("SELECT FROM utterances WHERE text = 'thanks, brundlewick.'")) == 1


def test_somebody_who_stores_at_that_moment_is_waited_for(calls: Calls) -> None:
    """An alignment whose transaction has begun is erased too, and one that begins later sees the mark."""
    chosen = calls.choose("/calls")
    with ThreadPoolExecutor(1) as other, calls.engine.connect() as conn:
        erasures.share(conn)
        erased = other.submit(erasing.erase, calls.engine, calls.settings, chosen)
        waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        until(lambda: erased.done() or calls.rows(waiting)[0]["count"], "it waits for the lock", 60, str)
        assert not erased.done() and len(calls.rows("SELECT FROM recordings")) == 2
        conn.execute(text("UPDATE utterances SET text = 'quixaloria again'"))
        conn.commit()
        assert erased.result(timeout=60).finished
        erasures.share(conn)
        assert set(erasures.erased(conn, "recordings", calls.sums)) == set(calls.sums)
    assert in_database(calls.engine, [*WORDS, *calls.sums]) == set()


def test_labels_of_a_corpus_go_by_its_speakers_name_and_are_not_imported_again(calls: Calls, tmp_path: Path) -> None:
    items = list(corpus("ravdess", write_ravdess(tmp_path, actors=(1, 2), emotions=("05",), seconds=0.1)))
    import_labels(calls.engine, items)
    of = {row["speaker"]: row["n"] for row in calls.rows("SELECT speaker, count(*) AS n FROM labels GROUP BY 1")}
    assert of["ravdess-01"] == of["ravdess-02"] > 0

    erased = calls.erase(speaker="ravdess-01")
    (other,) = calls.rows("SELECT min(recording_id) AS id FROM labels WHERE corpus = 'ravdess'")
    calls.erase(str(other["id"]))
    again = import_labels(calls.engine, items)

    assert erased.finished and in_database(calls.engine, ["ravdess-01"]) == set()
    assert again.left_out == {"whoever it is about was erased": of["ravdess-01"],
                              "its audio cannot be read (recording_erased)": 1}  # fmt: skip
    assert (again.changed, again.unchanged) == (0, of["ravdess-02"] - 1)
    # Of the person's files, which only labels knew, nothing is known.
    assert len(calls.rows("SELECT FROM recordings")) == len(calls.recordings) + of["ravdess-02"] - 1


@pytest.mark.parametrize(("answer", "left"), [(b"n\n", 2), (b"y\n", 1)])
def test_at_a_terminal_it_asks_before_it_erases(calls: Calls, database_url: str, answer: bytes, left: int) -> None:
    tenor = Tenor(database_url, calls.settings.home)
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "ops.cli", "erase", "/calls/may"]
    with subprocess.Popen(command, env=tenor.environment, stdin=theirs, stdout=-1, stderr=-1, text=True) as process:
        os.write(ours, answer)
        _, said = process.communicate(timeout=120)
    os.close(ours)
    os.close(theirs)

    assert "Erase this for good? [y/N]" in said
    assert process.returncode == (0 if left == 1 else 1)
    assert len(calls.rows("SELECT FROM recordings")) == left
