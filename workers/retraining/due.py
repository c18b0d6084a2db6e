"""retrain.due: the tick that finds profiles due for retraining and keeps runs going. Any number of copies may run."""

import json
import shutil
import uuid
from datetime import datetime
from pathlib import Path
from typing import Any

from celery import Task
from sqlalchemy import Connection, Row, text

from db.engine import is_passing
from workers import context
from workers.app import app
from workers.retraining import runs
from workers.retraining.evaluate import SCORES
from workers.retraining.runner import send
from workers.retraining.train import ADAPTED, ADAPTED_TEXT

#: Below a run's folder: what only a run that goes on has a use for.
KEPT_FOR_KILLS = (f"{ADAPTED}/work", f"{ADAPTED_TEXT}/work", SCORES)
#: Why a run was stopped whose data held what was erased.
DATA_ERASED = "data_erased"


@app.task(bind=True, name="retrain.due")
def due(self: "Task[Any, Any]") -> str:
    """Break leases of the gone, insert runs that are due, let the next one begin, send hints that are missing."""
    # It reads from here what runs leave behind.
    from workers.erasing.erase import look_again

    settings, engine = context.settings(), context.engine()
    try:
        with engine.begin() as conn:
            broken = runs.break_lost(conn, max_tries=settings.max_tries)
        with engine.begin() as conn:
            made = insert_due(conn)
            runs.admit(conn)
        sent = send(self.app, engine, settings, again_s=settings.resend_s)
        with engine.connect() as conn:
            tidy(conn)
        look_again(engine, settings)
    except Exception as exc:
        if not is_passing(exc):
            raise
        return f"the database is away ({type(exc).__name__}); the next tick does this one's work"
    return f"{broken} leases broken, {len(made)} runs due, {sent} hints sent"


def insert_due(conn: Connection) -> list[int]:
    """Insert a run for every schedule that is due; returns their ids.

    The due time follows from the reason alone (the turn of the interval, the label that made it enough, the measure
    that showed the drift), so that whoever finds the same reason finds the same time, and the constraint on it lets one
    run through.
    """
    made = []
    # Whoever comes second looks when the first has inserted, and finds the run under way.
    runs.one_at_a_time(conn)
    for row in _schedules(conn):
        for trigger, due_at in _reasons(conn, row)[:1]:
            run_id = insert(conn, row.profile_id, row.plan, trigger, due_at=due_at, schedule_id=row.id)
            if run_id is not None:
                made.append(run_id)
    return made


def insert(
    conn: Connection,
    profile_id: int,
    plan: dict[str, Any],
    trigger: str,
    *,
    due_at: datetime | None = None,
    schedule_id: int | None = None,
) -> int | None:
    """Insert a run that waits for its turn; None when the schedule has one for that time."""
    found = conn.execute(
        text("""
            INSERT INTO training_runs (schedule_id, due_at, trigger, profile_id, plan, root_id)
            VALUES (:schedule, coalesce(:due, now()), :trigger, :profile, CAST(:plan AS jsonb), :root)
            ON CONFLICT (schedule_id, due_at) DO NOTHING RETURNING id
        """),
        {
            "schedule": schedule_id,
            "due": due_at,
            "trigger": trigger,
            "profile": profile_id,
            "plan": json.dumps(plan),
            "root": uuid.uuid4(),
        },
    ).scalar()
    return None if found is None else int(found)


def tidy(conn: Connection) -> None:
    """Remove what runs that ended lately have kept for the case of a kill; manifests, bundle and report stay."""
    ended = conn.execute(
        text("""
            SELECT folder, error_code FROM training_runs
             WHERE state NOT IN ('waiting', 'ready', 'running') AND finished_at > now() - interval '1 day'
               AND folder IS NOT NULL
        """)
    ).all()
    for run in ended:
        # What was stopped by an erasure goes whole, and again, should its worker have noticed late.
        for kept in ("",) if run.error_code == DATA_ERASED else KEPT_FOR_KILLS:
            shutil.rmtree(Path(run.folder) / kept, ignore_errors=True)


def new_labels(conn: Connection, profile_id: int) -> int:
    """Labels that came after the profile's last run had looked."""
    return int(
        conn.execute(
            text(f"SELECT count(*) FROM labels WHERE imported_at > ({_LOOKED})"), {"p": profile_id}
        ).scalar_one()
    )


#: Until when the last run of a profile has seen labels.
_LOOKED = """
    SELECT coalesce(max(coalesce(labels_until, created_at)), '-infinity') FROM training_runs
     WHERE profile_id = :p AND state <> 'cancelled'
"""


def _schedules(conn: Connection) -> list[Row[Any]]:
    """Those with no run under way."""
    return list(
        conn.execute(
            text("""
                SELECT s.id, s.profile_id, s.plan, s.interval_s, s.min_labels, s.drift_limit, s.created_at
                  FROM training_schedules s
                 WHERE s.enabled
                   AND NOT EXISTS (SELECT FROM training_runs r WHERE r.profile_id = s.profile_id
                                      AND r.state IN ('waiting', 'ready', 'running'))
                 ORDER BY s.id
            """)
        )
    )


def _reasons(conn: Connection, schedule: Row[Any]) -> list[tuple[str, datetime]]:
    """Why a schedule is due, and since when. Without labels that no run has seen there is nothing new to learn."""
    found: list[tuple[str, datetime]] = []
    values = {"p": schedule.profile_id, "id": schedule.id}
    if not new_labels(conn, schedule.profile_id):
        return found
    if schedule.min_labels is not None:
        at = conn.execute(
            text(f"""
                SELECT imported_at FROM labels WHERE imported_at > ({_LOOKED})
                 ORDER BY imported_at OFFSET :before LIMIT 1
            """),
            {**values, "before": schedule.min_labels - 1},
        ).scalar()
        if at is not None:
            found.append(("labels", at))
    if schedule.interval_s is not None:
        at = conn.execute(
            text("""
                SELECT t.at FROM (SELECT s.created_at + make_interval(secs => s.interval_s * floor(
                               extract(epoch FROM now() - s.created_at) / s.interval_s)) AS at
                          FROM training_schedules s WHERE s.id = :id) t
                 WHERE t.at > (SELECT created_at FROM training_schedules WHERE id = :id)
                   AND NOT EXISTS (SELECT FROM training_runs r WHERE r.schedule_id = :id AND r.due_at >= t.at)
            """),
            values,
        ).scalar()
        if at is not None:
            found.append(("interval", at))
    if schedule.drift_limit is not None:
        at = conn.execute(
            text("""
                SELECT m.measured_at FROM quality_measures m JOIN profiles p ON p.champion_id = m.profile_version_id
                 WHERE p.id = :p AND m.psi > :limit
                   AND m.measured_at > (SELECT coalesce(max(created_at), '-infinity') FROM training_runs
                                         WHERE profile_id = :p)
                 ORDER BY m.measured_at LIMIT 1
            """),
            {**values, "limit": schedule.drift_limit},
        ).scalar()
        if at is not None:
            found.append(("drift", at))
    return found
