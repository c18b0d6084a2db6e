"""Archives walked in the test's process, on a real database, without a queue."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from celery import Task
from sqlalchemy import Engine, text

from db.engine import make_engine
from ml.profiles import load_profile
from ops import troubles
from tests.unit.silence import write_silence
from workers import broker, context
from workers.app import app
from workers.archives.members import Member, members_of
from workers.jobs.enqueue import JobOptions, create_job
from workers.ledger import dispatch
from workers.settings import Settings
from workers.stages.ingest import _Ingest
from workers.stages.runner import run


@dataclass
class Walker:
    """Enqueues archives and walks them in this process; nothing is aligned."""

    engine: Engine
    settings: Settings

    def walk(self, archive: Path, **options: Any) -> int:
        """Returns the job's id."""
        job = create_job(self.engine, archive, load_profile("mini-speech-only"), JobOptions(**options))
        self.again(job)
        return job

    def again(self, job: int) -> str:
        (stage,) = self.rows("SELECT id FROM stages WHERE stage = 'ingest' AND job_id = :j", j=job)
        task = Task()
        task.bind(app)
        task.push_request(id=str(uuid.uuid4()))
        return run(task, stage["id"], lambda claim, tell: _Ingest(task, claim).work(tell))

    def rows(self, query: str, **values: Any) -> list[dict[str, Any]]:
        with self.engine.connect() as conn:
            return [dict(row) for row in conn.execute(text(query), values).mappings()]

    def files(self, job: int) -> dict[str, dict[str, Any]]:
        """What a job has of each path."""
        found = self.rows(
            """
            SELECT f.path, f.metadata, f.dialogue, f.recorded_at, f.transcript_path, r.state, r.error_code, r.error,
                   r.alignment_id, a.options, a.state AS alignment_state
              FROM job_recordings r JOIN archive_files f ON f.id = r.file_id
              LEFT JOIN alignments a ON a.id = r.alignment_id
             WHERE r.job_id = :j ORDER BY f.path
            """,
            j=job,
        )
        return {row["path"]: row for row in found}

    def members(self, job: int) -> list[Member]:
        """What align would read."""
        groups = self.rows("SELECT id FROM groups WHERE job_id = :j", j=job)
        return [member for group in groups for member in members_of(group["id"])]

    def problems(self, job: int) -> list[tuple[int, str]]:
        with self.engine.connect() as conn:
            return [(problem.line, problem.code) for problem in troubles.errors(conn, job).manifest]

    def told(self, job: int) -> list[str]:
        """What a person reads about lines that could not be followed."""
        with self.engine.connect() as conn:
            return [problem.error for problem in troubles.errors(conn, job).manifest]

    def failure(self, job: int) -> tuple[str, str, str]:
        (row,) = self.rows("SELECT state, error_code, error FROM jobs WHERE id = :j", j=job)
        return row["state"], row["error_code"], row["error"]


@pytest.fixture
def walker(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Walker]:
    """Replaced is the queue: no message is sent."""
    monkeypatch.setenv("TENOR_HOME", str(tmp_path / "home"))
    settings = Settings(home=tmp_path / "home", database_url=database_url)
    engine = make_engine(database_url)
    monkeypatch.setattr(context, "settings", lambda: settings)
    monkeypatch.setattr(context, "engine", lambda: engine)
    monkeypatch.setattr(broker, "ping", lambda _app: None)
    monkeypatch.setattr(dispatch, "send", lambda _app, _engine, stages: len(list(stages)))
    monkeypatch.setattr("workers.jobs.enqueue.send", lambda _app, _engine, stages: len(list(stages)))
    yield Walker(engine, settings)
    engine.dispose()


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    folder = tmp_path / "calls"
    (folder / "sub").mkdir(parents=True)
    for number, name in enumerate(("a.wav", "b.wav", "sub/c.wav")):
        write_silence(folder / name, level=number)
    (folder / "all.txt").write_text("words for everybody")
    return folder
