"""An archive of short recordings that a version has scored, and the stages of runs over it, without a worker."""

import hashlib
import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from celery import Task
from sqlalchemy import Engine, text

from db.engine import make_engine
from db.labels import LabelRow, write_labels
from ml.corpora.types import LabelledUtterance
from tests.integration.planting import Plant, distribution
from tests.unit.two_domains import FOUR, quick_voices
from workers import context
from workers.app import app
from workers.retraining import due, models, runner, runs
from workers.retraining.runner import Watch
from workers.retraining.runs import Run
from workers.settings import Settings


class World:
    """Recordings of half a second, and a champion whose specification is given."""

    def __init__(self, url: str, items: list[LabelledUtterance], spec: dict[str, Any]) -> None:
        self.engine, self.items, self.spec = make_engine(url), items, spec
        with self.engine.begin() as conn:
            plant = Plant(conn)
            self.profile = plant.profile()
            self.version = plant.version(self.profile, 1, champion=True)
            conn.execute(
                text("UPDATE profile_versions SET spec = CAST(:spec AS jsonb)"), {"spec": json.dumps(self.spec)}
            )
            assert items[0].audio_path is not None
            archive = plant.archive(str(items[0].audio_path.parent))
            job = plant.job(archive, self.version)
            self.recordings = [self._analysed(plant, archive, job, item) for item in self.items]

    def words(self, item: LabelledUtterance) -> str | None:
        """What was kept of what was said: nothing but what the text model made of it."""
        return None

    def _analysed(self, plant: Plant, archive: int, job: int, item: LabelledUtterance) -> int:
        assert item.audio_path is not None and item.label is not None
        status = item.audio_path.stat()
        sha256 = hashlib.sha256(item.audio_path.read_bytes()).hexdigest()
        rate = 8000 if _number(item) // 2 % 2 else 16_000
        recording = plant.row(
            "recordings", sha256=sha256, size_bytes=status.st_size, duration_s=0.5, channels=1, sample_rate=rate
        )
        file = plant.row(
            "archive_files", archive_id=archive, path=item.audio_path.name, recording_id=recording,
            size_bytes=status.st_size, mtime_ns=status.st_mtime_ns,
        )  # fmt: skip
        alignment = plant.alignment(recording, file, [(item.speaker, 0.0, 0.5, self.words(item))])
        plant.score(alignment, self.version, plant.batch(job, self.version), [distribution(neutral=1.0)])
        plant.conn.execute(
            text(
                f"UPDATE scores SET {', '.join(f'text_{label} = :{label}' for label in FOUR)} WHERE alignment_id = :a"
            ),
            {"a": alignment} | {label: float(label == item.label) for label in FOUR},
        )
        return recording

    def label(self, people: range) -> None:
        rows = [
            LabelRow(
                recording, 0.0, 0.5, "Kim", "archive", f"{recording}", item.label, *[None] * 10, gender=item.gender
            )
            for item, recording in zip(self.items, self.recordings, strict=True)
            if _number(item) in people
        ]
        with self.engine.begin() as conn:
            write_labels(conn, rows)

    def insert(self, **plan: Any) -> int:
        """A run by hand, which trusts the labels."""
        with self.engine.begin() as conn:
            made = due.insert(conn, self.profile, {"trust_labels": True, **plan}, "hand")
        assert made is not None
        return made


def _number(item: LabelledUtterance) -> int:
    """Which person it is."""
    return int(item.speaker.rpartition("-")[2])


def enter(world: World, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process be a worker of that database, which hears voices quickly."""
    settings = Settings(home=home, threads=1)
    fakes: dict[str, Callable[[], Any]] = {"settings": lambda: settings, "engine": lambda: world.engine}
    for name, fake in fakes.items():
        monkeypatch.setattr(context, name, fake)
    monkeypatch.setattr(models, "embed", lambda: quick_voices)
    # There is no broker to tell anybody by.
    monkeypatch.setattr(runner, "announce", lambda *_: None)


def taken(engine: Engine, run_id: int, stage: str) -> Run:
    with engine.begin() as conn:
        runs.admit(conn)
        found = runs.claim(conn, run_id, stage, uuid.uuid4(), lease_s=60, tries=3)
    assert found is not None
    return found


def task(task_id: uuid.UUID) -> Any:
    """The task in which a worker would do a run's stage."""
    made = Task()
    made.bind(app)
    made.push_request(id=str(task_id))
    return made


def task_of(own: Run) -> Any:
    """The task of a stage that is taken."""
    return task(own.task_id)


def through(engine: Engine, run_id: int, stage: str, work: Any) -> dict[str, Any]:
    own = taken(engine, run_id, stage)
    commit = work(own, Watch(task_of(own), engine, own))
    with engine.begin() as conn:
        commit(conn)
    with engine.connect() as conn:
        return dict(conn.execute(text("SELECT * FROM training_runs WHERE id = :r"), {"r": run_id}).mappings().one())
