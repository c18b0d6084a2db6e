"""What tests of jobs and of the command share: a database with jobs in it, and the command as a process."""

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine, text

from db.engine import make_engine
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
        statement = text(f"INSERT INTO {table} ({columns}) VALUES ({places}) RETURNING id")
        return int(conn.execute(statement, values).scalar_one())

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
                    "INSERT INTO job_recordings (job_id, file_id, recording_id, alignment_id,"
                    " profile_version_id, state, reused, error_code, error)"
                    " VALUES (:j, :f, :r, :a, :v, :s, :u, :c, :e)"
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
                    "INSERT INTO stages (stage, job_id, state, root_id, attempt, owner, lease_until,"
                    " ready_at, error_code, error) VALUES ('ingest', :job, :state, :root, 3, :owner,"
                    " CASE WHEN :owned THEN now() + interval '1 minute' END,"
                    " now() - make_interval(secs => :ago), 'MemoryError', 'It failed with MemoryError.')"
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

    def problem(self, job_id: int, line: int, code: str) -> None:
        """A line of the job's manifest that could not be followed."""
        with self.engine.begin() as conn:
            conn.execute(
                text("INSERT INTO manifest_problems (job_id, line, code, error) VALUES (:j, :l, :c, 'It is wrong.')"),
                {"j": job_id, "l": line, "c": code},
            )

    def finish(self, job_id: int, state: str = "done") -> None:
        """End the job."""
        with self.engine.begin() as conn:
            conn.execute(
                text("UPDATE jobs SET state = :s, finished_at = now() WHERE id = :id"),
                {"s": state, "id": job_id},
            )


@contextmanager
def new_world(database_url: str) -> Iterator[World]:
    """An archive and a profile of their own, so that tests may share a database."""
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


@dataclass(frozen=True)
class Tenor:
    """The command, run in processes of its own on the test database."""

    database_url: str
    home: Path

    @property
    def environment(self) -> dict[str, str]:
        """No TENOR_ variables but these."""
        plain = {name: value for name, value in os.environ.items() if not name.startswith("TENOR_")}
        return plain | {"TENOR_HOME": str(self.home), "TENOR_DATABASE_URL": self.database_url}

    def __call__(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        command = [sys.executable, "-m", "ops.cli", *arguments]
        return subprocess.run(command, env=self.environment, input=stdin, capture_output=True, text=True, timeout=120)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start it; both outputs are pipes."""
        command = [sys.executable, "-m", "ops.cli", *arguments]
        return subprocess.Popen(
            command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
