"""Retraining as a program sees it: schedule it, start a run, look at runs, cancel one. The command prints these."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, text

from db.errors import NotFound
from ml.errors import TenorError

if TYPE_CHECKING:
    from workers.settings import Settings

ENDED = frozenset({"done", "refused", "failed", "cancelled"})
_SHOWN = (
    "run, profile, trigger, due_at, state, stage, method, labels, doing, percent, eta_s, champion, challenger,"
    " champion_balanced_accuracy, challenger_balanced_accuracy, difference_low, difference_high, decision, reason,"
    " folder, created_at, finished_at, error"
)


class NothingNew(TenorError):
    """No label came since the last run looked."""

    code = "nothing_new"
    hint = "Import labels (`tenor labels import`), or say `--now` to train on what there is."


@dataclass(frozen=True, slots=True)
class RunStatus:
    """One run: where it is, what was decided and why. `percent` is of what it is doing at this moment."""

    run: int
    profile: str
    trigger: str
    due_at: datetime
    state: str
    stage: str
    method: str | None
    labels: int | None
    doing: str | None
    percent: float | None
    eta_s: float | None
    champion: int | None
    challenger: int | None
    champion_balanced_accuracy: float | None
    challenger_balanced_accuracy: float | None
    difference_low: float | None
    difference_high: float | None
    decision: str | None
    reason: str | None
    folder: str | None
    created_at: datetime
    finished_at: datetime | None
    error: str | None

    @property
    def ended(self) -> bool:
        """Nothing changes it any more."""
        return self.state in ENDED


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a profile is retrained; None: not for that reason."""

    profile: str
    enabled: bool
    interval_s: float | None
    min_labels: int | None
    drift_limit: float | None
    plan: dict[str, Any]


def profile_of(conn: Connection, name: str, settings: "Settings") -> int:
    """The id of a profile by name or file, entered with its present content where nothing was enqueued with it yet."""
    from ml.profiles import load_profile
    from workers.jobs.versions import ensure_version

    profile = load_profile(name, trained=settings.models)
    found = conn.execute(text("SELECT id FROM profiles WHERE name = :n"), {"n": profile.name}).scalar()
    if found is not None:
        return int(found)
    ensure_version(conn, profile)
    return int(conn.execute(text("SELECT id FROM profiles WHERE name = :n"), {"n": profile.name}).scalar_one())


def start(engine: Engine, settings: "Settings", profile: str, plan: Mapping[str, Any], *, now: bool = False) -> int:
    """Make a run by hand and send its hint; returns its id. Without `now`, only when there are new labels.

    Raises `NothingNew`, or `PlanInvalid` for a method or setting that does not exist.
    """
    from workers.app import app
    from workers.retraining import due, runner

    _check(plan)
    with engine.begin() as conn:
        profile_id = profile_of(conn, profile, settings)
        if not now and not due.new_labels(conn, profile_id):
            ever = conn.execute(
                text("SELECT EXISTS (SELECT FROM training_runs WHERE profile_id = :p)"), {"p": profile_id}
            )
            raise NothingNew(
                f"no label came since the last run of {profile}" if ever.scalar_one() else "there are no labels yet"
            )
        run_id = due.insert(conn, profile_id, dict(plan), "hand")
    assert run_id is not None
    runner.go_on(app, engine, settings)
    return run_id


def set_schedule(
    engine: Engine,
    settings: "Settings",
    profile: str,
    plan: Mapping[str, Any],
    *,
    interval_s: float | None = None,
    min_labels: int | None = None,
    drift_limit: float | None = None,
) -> Schedule:
    """Retrain a profile from now on for these reasons, in the place of those before."""
    _check(plan)
    with engine.begin() as conn:
        profile_id = profile_of(conn, profile, settings)
        conn.execute(
            text("""
                INSERT INTO training_schedules (profile_id, interval_s, min_labels, drift_limit, plan)
                VALUES (:p, :interval, :labels, :drift, CAST(:plan AS jsonb))
                ON CONFLICT (profile_id) DO UPDATE
                   SET (enabled, interval_s, min_labels, drift_limit, plan)
                       = (true, excluded.interval_s, excluded.min_labels, excluded.drift_limit, excluded.plan)
            """),
            {
                "p": profile_id,
                "interval": interval_s,
                "labels": min_labels,
                "drift": drift_limit,
                "plan": json.dumps(dict(plan)),
            },
        )
        name = conn.execute(text("SELECT name FROM profiles WHERE id = :p"), {"p": profile_id}).scalar_one()
    return Schedule(str(name), True, interval_s, min_labels, drift_limit, dict(plan))


def _check(plan: Mapping[str, Any]) -> None:
    """Raise `PlanInvalid` for a plan that no run could follow."""
    from ml.adaptation.errors import PlanInvalid
    from workers.retraining.sides import CHOICES
    from workers.retraining.train import plan_of, text_plan_of

    if plan.get("side") not in {None, *CHOICES}:
        raise PlanInvalid(f"there is no side {plan['side']}", hint=f"Say one of {', '.join(CHOICES)}.")
    if plan.get("text"):
        text_plan_of(dict(plan))
    made = plan_of(dict(plan))
    if made.names != ("finetune",):
        # Knowing all methods takes loading torch.
        from ml.adaptation.registry import card_of

        for choice in made.methods:
            card_of(choice)


def stop_schedule(engine: Engine, settings: "Settings", profile: str) -> None:
    """Retrain a profile by hand only; runs that are open go on."""
    with engine.begin() as conn:
        conn.execute(
            text("UPDATE training_schedules SET enabled = false WHERE profile_id = :p"),
            {"p": profile_of(conn, profile, settings)},
        )


def schedules(engine: Engine) -> list[Schedule]:
    """All schedules."""
    with engine.connect() as conn:
        rows = conn.execute(
            text("""
                SELECT p.name AS profile, s.enabled, s.interval_s, s.min_labels, s.drift_limit, s.plan
                  FROM training_schedules s JOIN profiles p ON p.id = s.profile_id ORDER BY p.name
            """)
        )
        return [Schedule(*row) for row in rows]


def runs(conn: Connection, *, limit: int = 20) -> list[RunStatus]:
    """The newest runs."""
    rows = conn.execute(text(f"SELECT {_SHOWN} FROM retraining ORDER BY run DESC LIMIT :n"), {"n": limit})
    return [RunStatus(*row) for row in rows]


def run(conn: Connection, run_id: int) -> RunStatus:
    """One run; raises `NotFound`."""
    row = conn.execute(text(f"SELECT {_SHOWN} FROM retraining WHERE run = :id"), {"id": run_id}).one_or_none()
    if row is None:
        raise NotFound(f"there is no run {run_id}", hint="`tenor models runs` lists them.")
    return RunStatus(*row)


def report_of(status: RunStatus) -> str | None:
    """The text of a run's report, None where there is none on this machine."""
    path = Path(status.folder or "") / "report.md"
    return path.read_text(encoding="utf-8") if status.folder and path.is_file() else None


def cancel(engine: Engine, run_id: int) -> None:
    """End an open run; raises `NotFound` or `RunEnded`."""
    from workers.errors import RunEnded
    from workers.retraining import runs as rows

    with engine.begin() as conn:
        if not rows.cancel(conn, run_id):
            raise RunEnded(f"run {run_id} is {run(conn, run_id).state}")


def register_corpora(
    engine: Engine, settings: "Settings", profile: str, places: Sequence[tuple[str, Path]]
) -> dict[str, int]:
    """Freeze labelled corpora that later runs are measured on and may learn from; returns utterances by name."""
    from ml.corpora.registry import corpus, of_classes
    from ml.emotions import EMOTIONS
    from workers.retraining import data

    counts = {}
    for name, folder in places:
        items = [item for item in of_classes(corpus(name, folder), EMOTIONS) if item.audio_path is not None]
        manifest = data.freeze(items, settings.models / "corpora" / f"{Path(profile).stem}-{name}.parquet")
        with engine.begin() as conn:
            data.register(conn, profile_of(conn, profile, settings), name, "reference", manifest)
        counts[name] = len(items)
    return counts


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a run would have to work with, without making one."""

    profile: str
    champion: int | None
    new_labels: int
    learned: dict[str, Any]
    held: dict[str, Any]
    left_out: dict[str, int]
    corpora: list[str]
    #: The models that would be retrained.
    sides: list[str]
    #: Why it would be refused at once; None: it would not.
    refusal: str | None


def outlook(engine: Engine, settings: "Settings", profile: str) -> Outlook:
    """Look at the labels as a run would; nothing is decided, cut or written."""
    from ml.corpora.types import Skipped
    from workers.errors import RunRefused
    from workers.retraining import data, due, models, sides
    from workers.retraining.labelled import labelled_utterances
    from workers.retraining.prepare import counts

    skipped = Skipped()
    with engine.connect() as conn:
        labelled = labelled_utterances(conn, skipped=skipped)
    with engine.connect() as conn:
        profile_id = profile_of(conn, profile, settings)
        champion = models.champion(conn, profile_id)
        found = [one for one in labelled if one.label in champion.spec["labels"]]
        decided = data.divide(conn, profile_id, (one.speaker for one in found), data.HOLDOUT)
        learned, held = data.of_part(found, "train", decided), data.of_part(found, "holdout", decided)
        try:
            data.require(learned, held)
            chosen, refusal = sides.chosen({}, champion.spec, learned), None
        except RunRefused as exc:
            chosen, refusal = [], str(exc)
        names = [one.name for one in data.corpora(conn, profile_id)]
        new = due.new_labels(conn, profile_id)
        conn.rollback()
    return Outlook(
        profile, champion.number, new, counts(learned), counts(held), dict(skipped.counts), names, chosen, refusal
    )  # fmt: skip
