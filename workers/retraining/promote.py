"""retrain.promote: a challenger that passed the gate becomes a version, and champion, in one transaction."""

import json
from pathlib import Path
from typing import Any

from celery import Task
from sqlalchemy import Connection, Row, text

from db.errors import NotFound
from workers import context
from workers.app import app
from workers.errors import RunEnded, RunRefused
from workers.jobs.versions import add_version, crown
from workers.retraining import data, runs
from workers.retraining.data import HELD, TARGET
from workers.retraining.evaluate import REFERENCE
from workers.retraining.runner import Commit, Watch, run
from workers.retraining.runs import Run
from workers.retraining.sides import SPEECH, TEXT
from workers.settings import Settings


@app.task(bind=True, name="retrain.promote")
def promote(self: "Task[Any, Any]", *, run_id: int, profile: str, method: str) -> str:
    """Promote a run's challenger, or leave that to a person where the plan says so."""
    return run(self, run_id, "promote", _work)


def _work(own: Run, watch: Watch) -> Commit:
    reason = str(own.numbers["judgement"]["decision"]["reason"])
    if own.plan.get("promote") == "by hand":
        return lambda conn: runs.conclude(conn, own, "done", "passed", reason, {})
    with context.engine().connect() as conn:
        spec = conn.execute(
            text("SELECT challenger FROM training_runs WHERE id = :id"), {"id": own.id}
        ).scalar_one()  # fmt: skip
    watch("publishing the model", 0, 1)
    published = publish(spec, context.settings(), own.id)

    def commit(conn: Connection) -> None:
        own.lease.check(conn)
        install(conn, own.id, own.profile_id, own.champion_id, own.folder, published, reason)
        runs.conclude(conn, own, "done", "promoted", reason, {})

    return commit


def publish(spec: dict[str, Any], settings: Settings, run_id: int) -> dict[str, Any]:
    """The specification with its new bundles where every worker finds them.

    That is where they are, below TENOR_MODELS_DIR, as long as that lies where objects do or no place is named for
    these. Else they go into TENOR_ARTIFACTS_URL, a store or a folder that all workers see, beside the objects; whoever
    loads them from there holds them against the hash in the specification.
    """
    place = settings.artifacts
    local = Path(place.removeprefix("file://")) if place.startswith("file://") else None
    if settings.artifacts_url is None or (local is not None and settings.models.is_relative_to(local)):
        return spec
    import fsspec

    from ml.bundles.meta import META, WEIGHTS

    published = dict(spec)
    for side in (SPEECH, TEXT):
        if side not in spec or not Path(spec[side]["location"]).is_relative_to(settings.models / "runs"):
            continue
        location = f"{settings.artifacts}/models/run-{run_id}-{spec[side]['sha256'][:16]}"
        filesystem, folder = fsspec.core.url_to_fs(location)
        filesystem.makedirs(folder, exist_ok=True)
        for name in (WEIGHTS, META):
            filesystem.put_file(str(Path(spec[side]["location"]) / name), f"{folder}/{name}")
        published[side] = {**spec[side], "location": location}
    return published


def install(
    conn: Connection,
    run_id: int,
    profile_id: int,
    beaten: int | None,
    folder: Path,
    spec: dict[str, Any],
    why: str,
    by: str | None = None,
) -> int:
    """Make a challenger a version and champion, its data set trusted, its output the reference; returns the version.

    Raises `RunRefused` when the profile's champion is no longer the one that was beaten.
    """
    present = conn.execute(
        text("SELECT champion_id FROM profiles WHERE id = :p FOR UPDATE"), {"p": profile_id}
    ).scalar_one()
    if present != beaten:
        raise RunRefused("champion_changed", "the profile has another champion by now than the one that was beaten")
    version_id = add_version(conn, profile_id, spec)
    crown(conn, profile_id, version_id, why=why, by=by, run_id=run_id)
    conn.execute(
        text("UPDATE training_runs SET challenger_id = :v WHERE id = :id"), {"v": version_id, "id": run_id}
    )  # fmt: skip
    for name, role, manifest in ((f"run-{run_id}", "holdout", HELD), (f"run-{run_id}-learned", "learned", TARGET)):
        data.register(
            conn, profile_id, name, role, data.frozen(folder / manifest), run_id
        )  # fmt: skip
    stored = json.loads((folder / REFERENCE).read_text(encoding="utf-8"))
    conn.execute(
        text("""
            INSERT INTO quality_references (profile_version_id, source, utterances, reference)
            VALUES (:v, 'training', :n, CAST(:reference AS jsonb)) ON CONFLICT DO NOTHING
        """),
        {"v": version_id, "n": stored["utterances"], "reference": json.dumps(stored["reference"])},
    )
    return version_id


def promote_by_hand(
    conn: Connection, settings: Settings, run_id: int, override: str | None = None, *, by: str | None = None
) -> int:
    """Promote the challenger of a run that has ended; returns the version's id.

    One that did not pass the gate takes a reason, which is written down beside the gate's and who gave it. Raises
    `NotFound`, `RunEnded`, `RunRefused`.
    """
    row: Row[Any] | None = conn.execute(
        text("SELECT * FROM training_runs WHERE id = :id FOR UPDATE"), {"id": run_id}
    ).one_or_none()
    if row is None:
        raise NotFound(f"there is no run {run_id}", hint="`tenor models runs` lists them.")
    if row.challenger_id is not None or row.challenger is None or row.state not in {"done", "refused"}:
        raise RunEnded(f"run {run_id} is {row.state} and has no model that could be promoted")
    override = (override or "").strip()
    if row.decision != "passed" and not override:
        raise RunRefused(
            "gate_refused",
            f"run {run_id} did not pass the gate: {row.reason}",
            hint="--override REASON promotes it all the same; who said so, and why, is kept.",
        )
    spec = publish(row.challenger, settings, run_id)
    why = "by hand: " + "; the gate: ".join(filter(None, (override, row.reason)))
    version_id = install(conn, run_id, row.profile_id, row.champion_id, Path(row.folder), spec, why, by)
    conn.execute(
        text("UPDATE training_runs SET decision = 'promoted', reason = :why WHERE id = :id"),
        {"id": run_id, "why": why},
    )
    return version_id
