"""Jobs as the command shows them, read from a real Postgres that holds jobs in every state."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, text

from db.engine import make_engine
from db.errors import DatabaseUnavailable, NotFound
from ops import jobs
from ops.follow import follow, nobody_works
from ops.jobs import JobStatus
from ops.progress import Pace


@dataclass
class World:
    """A database with an archive and a profile version, and ways to put jobs into it."""

    engine: Engine
    archive_id: int
    version_id: int
    _made: int = 0

    def _insert(self, conn: Connection, table: str, **values: object) -> int:
        columns, places = ", ".join(values), ", ".join(f":{name}" for name in values)
        return int(
            conn.execute(
                text(f"INSERT INTO {table} ({columns}) VALUES ({places}) RETURNING id"), values
            ).scalar_one()
        )

    def job(self, state: str = "running", *, listed: bool = True, **more: object) -> int:
        with self.engine.begin() as conn:
            job_id = self._insert(
                conn,
                "jobs",
                archive_id=self.archive_id,
                profile_version_id=self.version_id,
                options="{}",
                state=state,
                root_id=uuid.uuid4(),
                **more,
            )
            if listed:
                conn.execute(text("UPDATE jobs SET ingested_at = now() WHERE id = :id"), {"id": job_id})
            return job_id

    def recording(
        self,
        job_id: int,
        state: str,
        *,
        seconds: float = 60.0,
        utterances: int = 10,
        reused: bool = False,
        error: tuple[str, str] | None = None,
        path: str | None = None,
    ) -> None:
        """A file of the job; one that is done has its roll-up."""
        self._made += 1
        name = f"{uuid.uuid4()}"
        with self.engine.begin() as conn:
            recording_id = self._insert(conn, "recordings", sha256=name, size_bytes=1, duration_s=seconds)
            file_id = self._insert(
                conn,
                "archive_files",
                archive_id=self.archive_id,
                path=path or f"{self._made:04}-{name}.wav",
                size_bytes=1,
                mtime_ns=1,
                recording_id=recording_id,
            )
            alignment_id = self._insert(
                conn,
                "alignments",
                recording_id=recording_id,
                options_hash="x",
                options="{}",
                source_file_id=file_id,
                state="done",
            )
            if state == "done":
                conn.execute(
                    text(
                        "INSERT INTO recording_scores (alignment_id, profile_version_id, state, utterances)"
                        " VALUES (:a, :v, 'done', :n)"
                    ),
                    {"a": alignment_id, "v": self.version_id, "n": utterances},
                )
            conn.execute(
                text(
                    "INSERT INTO job_recordings (job_id, file_id, recording_id, alignment_id, profile_version_id,"
                    " state, reused, error_code, error) VALUES (:j, :f, :r, :a, :v, :s, :u, :c, :e)"
                ),
                {
                    "j": job_id,
                    "f": file_id,
                    "r": recording_id,
                    "a": alignment_id,
                    "v": self.version_id,
                    "s": state,
                    "u": reused,
                    "c": error[0] if error else None,
                    "e": error[1] if error else None,
                },
            )

    def batch(self, job_id: int, *, seconds: float, utterances: int, state: str = "done") -> None:
        """A batch that is finished: scored, or given up."""
        with self.engine.begin() as conn:
            batch_id = self._insert(
                conn,
                "batches",
                job_id=job_id,
                profile_version_id=self.version_id,
                utterances=utterances,
                seconds=seconds,
            )
            conn.execute(text("UPDATE batches SET finished_at = now() WHERE id = :id"), {"id": batch_id})
            conn.execute(
                text(
                    "INSERT INTO stages (stage, job_id, batch_id, state, root_id)"
                    " VALUES ('fuse', :job, :batch, :state, :root)"
                ),
                {"job": job_id, "batch": batch_id, "state": state, "root": uuid.uuid4()},
            )

    def ingest_stage(self, job_id: int, state: str, *, ready_s_ago: float = 0.0) -> None:
        """The job's first stage, in some state; running means that a worker holds it for a minute."""
        owned = state == "running"
        with self.engine.begin() as conn:
            conn.execute(
                text(
                    "INSERT INTO stages (stage, job_id, state, root_id, attempt, owner, lease_until, ready_at,"
                    " error_code, error) VALUES ('ingest', :job, :state, :root, 3, :owner,"
                    " CASE WHEN :owned THEN now() + interval '1 minute' END,"
                    " now() - make_interval(secs => :ago), 'MemoryError', 'The stage failed with MemoryError.')"
                ),
                {
                    "job": job_id,
                    "state": state,
                    "root": uuid.uuid4(),
                    "owner": "somebody" if owned else None,
                    "owned": owned,
                    "ago": ready_s_ago,
                },
            )

    def finish(self, job_id: int, state: str = "done") -> None:
        """End the job."""
        with self.engine.begin() as conn:
            conn.execute(
                text("UPDATE jobs SET state = :s, finished_at = now() WHERE id = :id"),
                {"s": state, "id": job_id},
            )


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    engine = make_engine(database_url)
    with engine.begin() as conn:
        archive = conn.execute(
            text("INSERT INTO archives (url) VALUES (:url) RETURNING id"), {"url": f"/calls/{uuid.uuid4()}"}
        ).scalar_one()
        profile = conn.execute(
            text("INSERT INTO profiles (name) VALUES (:name) RETURNING id"), {"name": f"mini-{uuid.uuid4()}"}
        ).scalar_one()
        version = conn.execute(
            text(
                "INSERT INTO profile_versions (profile_id, version, fingerprint, spec, label_set)"
                " VALUES (:p, 1, 'f', '{}', ARRAY['angry']) RETURNING id"
            ),
            {"p": profile},
        ).scalar_one()
    yield World(engine, archive, version)
    # Open work of one test is the backlog of the next.
    with engine.begin() as conn:
        conn.execute(text("DELETE FROM stages WHERE state IN ('ready', 'running')"))
    engine.dispose()


class Notes:
    """A display that remembers."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.seen: list[JobStatus] = []

    def update(self, status: JobStatus, pace: Pace) -> None:
        self.seen.append(status)

    def say(self, line: str) -> None:
        self.lines.append(line)


Tenor = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def environment(database_url: str, tmp_path: Path) -> dict[str, str]:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("TENOR_")}
    return plain | {"TENOR_HOME": str(tmp_path), "TENOR_DATABASE_URL": database_url}


@pytest.fixture
def tenor(environment: dict[str, str]) -> Tenor:
    """The command in a process of its own, on the test database."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "ops.cli", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)

    return run


# ----- looking at jobs


def test_counters_tell_new_from_reused_and_count_the_ready_part_of_open_recordings(world: World) -> None:
    # Given a job with two recordings reused, one new, one failed, one that is half scored
    job = world.job()
    for _ in range(2):
        world.recording(job, "done", seconds=100, utterances=7, reused=True)
    world.recording(job, "done", seconds=50, utterances=5)
    world.recording(job, "failed", error=("audio_silent", "No speech."))
    world.recording(job, "scoring", seconds=1000)
    world.batch(job, seconds=40, utterances=5)
    world.batch(job, seconds=400, utterances=90)
    world.batch(job, seconds=300, utterances=70, state="cancelled")

    # When it is looked at
    with world.engine.connect() as conn:
        status = jobs.status(conn, job)

    # Then
    assert (status.files, status.done, status.failed, status.reused, status.open) == (5, 3, 1, 2, 1)
    assert status.utterances == 14 + 95
    assert status.audio_s == 1250.0
    assert status.analysed_s == 440.0


def test_while_the_archive_is_being_listed_the_files_seen_so_far_are_shown(world: World) -> None:
    job = world.job(listed=False, files_seen=120)

    with world.engine.connect() as conn:
        status = jobs.status(conn, job)

    assert (status.files, status.listed) == (120, False)


def test_an_unknown_job_is_named(world: World, tenor: Tenor) -> None:
    with world.engine.connect() as conn, pytest.raises(NotFound):
        jobs.status(conn, 2_000_000_000)

    for command in ("status", "errors"):
        done = tenor(command, "2000000000")
        assert done.returncode == 1
        assert done.stderr == "Error: There is no job 2000000000. `tenor status` lists the jobs there are.\n"


def test_the_newest_jobs_come_first(world: World, tenor: Tenor) -> None:
    first, second = world.job(), world.job("cancelled")

    listed = json.loads(tenor("status", "--json", "--limit", "2").stdout)

    assert [(job["job_id"], job["state"]) for job in listed] == [(second, "cancelled"), (first, "running")]


def test_status_of_one_job_shows_what_is_left_of_its_stages(world: World, tenor: Tenor) -> None:
    job = world.job(listed=False)
    world.ingest_stage(job, "running")

    document = json.loads(tenor("status", str(job), "--json").stdout)
    table = tenor("status", str(job)).stdout

    assert document["stages"] == [{"stage": "ingest", "waiting": 0, "ready": 0, "running": 1, "dead": 0}]
    assert "ingest" in table


def test_errors_are_listed_by_path_and_counted_by_kind(world: World, tenor: Tenor) -> None:
    # Given a job with three failures, a warning, and work that was given up
    job = world.job("done")
    world.recording(job, "failed", path=f"b[/bold]{job}.wav", error=("audio_unreadable", "It is corrupt."))
    world.recording(job, "failed", path=f"a {job}.wav", error=("audio_empty", "It has no samples."))
    world.recording(job, "failed", path=f"c {job}.wav", error=("audio_empty", "It has no samples."))
    world.recording(job, "done", path=f"d {job}.wav", error=("transcript_mismatch", "Line 3 does not fit."))
    world.ingest_stage(job, "dead")

    # When they are listed
    document = json.loads(tenor("errors", str(job), "--json", "--limit", "2").stdout)
    table = tenor("errors", str(job), "--limit", "2").stdout

    # Then the first ones are there, and the counts are of all
    assert document["by_code"] == {"audio_empty": 2, "audio_unreadable": 1}
    assert [one["path"] for one in document["recordings"]] == [f"a {job}.wav", f"b[/bold]{job}.wav"]
    assert document["warned"] == 1
    assert [one["code"] for one in document["dead"]] == ["MemoryError"]
    assert f"b[/bold]{job}.wav" in table
    assert f"1 more: tenor errors {job} --limit 0" in table
    assert f"tenor retry {job}" in table


def test_a_job_without_errors_says_so_and_prints_nothing(world: World, tenor: Tenor) -> None:
    job = world.job("done")

    done = tenor("errors", str(job))

    assert (done.returncode, done.stdout) == (0, "")
    assert "Nothing failed" in done.stderr


# ----- following a job


def test_following_ends_with_the_job_and_times_its_first_score(world: World) -> None:
    # Given a job that scores something after a second and ends after two
    job = world.job()
    world.recording(job, "scoring")
    begun = time.monotonic()

    def work() -> None:
        time.sleep(1)
        world.batch(job, seconds=30, utterances=3)
        time.sleep(1)
        world.finish(job)

    worker = threading.Thread(target=work)
    worker.start()

    # When it is followed
    notes, first = Notes(), []
    followed = follow(world.engine, job, notes, on_first_score=first.append)
    worker.join()

    # Then
    assert followed.status.state == "done"
    assert followed.first_score_at == first[0]
    assert 0.9 < first[0] - begun < 1.8
    assert notes.seen[-1].state == "done"


def test_a_job_that_scores_nothing_new_has_no_first_score(world: World) -> None:
    job = world.job("done")
    world.recording(job, "done", reused=True)

    assert follow(world.engine, job, Notes()).first_score_at is None


def test_following_survives_the_loss_of_its_connection(world: World, owner_url: str) -> None:
    # Given a job that is followed
    job = world.job()
    notes = Notes()
    follower = threading.Thread(target=follow, args=(world.engine, job, notes))
    follower.start()
    while not notes.seen:
        time.sleep(0.05)

    # When Postgres cuts the line, and the job ends afterwards
    owner = make_engine(owner_url)
    with owner.connect() as conn:
        conn.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE usename = :name AND datname = current_database() AND pid <> pg_backend_pid()"
            ),
            {"name": world.engine.url.username},
        )
    time.sleep(1.0)
    world.finish(job)
    follower.join(timeout=20)

    # Then the follower said so and saw the end
    assert not follower.is_alive()
    assert any("does not answer" in line for line in notes.lines)
    assert any("answers again" in line for line in notes.lines)
    assert notes.seen[-1].state == "done"


def test_following_gives_up_when_the_database_stays_away() -> None:
    nowhere = make_engine("postgresql+psycopg2://tenor@127.0.0.1:1/tenor")

    with pytest.raises(DatabaseUnavailable, match="has not answered"):
        follow(nowhere, 1, Notes(), patience_s=0.5)


def test_work_that_nobody_takes_is_said(world: World) -> None:
    # Given a job whose work has been ready for two minutes, with no worker anywhere
    job = world.job(listed=False)
    world.ingest_stage(job, "ready", ready_s_ago=120)
    with world.engine.connect() as conn:
        assert nobody_works(conn, job, 60)
    notes = Notes()
    follower = threading.Thread(
        target=follow,
        args=(world.engine, job, notes),
        kwargs={"stall_s": 1.0, "broker_answers": lambda: True},
    )

    # When it is followed for a while
    follower.start()
    deadline = time.monotonic() + 15
    while not notes.lines and time.monotonic() < deadline:
        time.sleep(0.1)
    world.finish(job)
    follower.join(timeout=10)

    # Then there is a hint, once
    (line,) = notes.lines
    assert "no worker takes it" in line
    assert "tenor up" in line


def test_work_that_waits_while_others_are_worked_on_is_no_stall(world: World) -> None:
    waiting, running = world.job(listed=False), world.job(listed=False)
    world.ingest_stage(waiting, "ready", ready_s_ago=120)
    world.ingest_stage(running, "running")

    with world.engine.connect() as conn:
        assert not nobody_works(conn, waiting, 60)


def test_ctrl_c_leaves_the_job_running_and_says_how_to_go_on(
    world: World, environment: dict[str, str]
) -> None:
    # Given a job that is followed by the command
    job = world.job()
    command = [sys.executable, "-m", "ops.cli", "status", str(job), "--watch", "--json"]
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    assert f"job {job}:" in process.stderr.readline()

    # When it is interrupted
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)

    # Then
    assert process.returncode == 130
    assert json.loads(out) == {"job_id": job, "detached": True}
    assert f"tenor status {job} --watch" in err
    assert f"tenor cancel {job}" in err
    assert "Traceback" not in err


def test_watching_ends_with_one_document(world: World, environment: dict[str, str]) -> None:
    job = world.job()
    command = [sys.executable, "-m", "ops.cli", "status", str(job), "--watch", "--json"]
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    process.stderr.readline()

    world.finish(job)
    out, _ = process.communicate(timeout=20)

    assert process.returncode == 0
    assert json.loads(out)["state"] == "done"
