"""retrain.prepare: labels → a frozen data set whose labels have been looked at, or the reason why there is none."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
from celery import Task
from sqlalchemy import Connection, text

from db.targets import targets
from ml.corpora.types import LabelledUtterance, Skipped
from workers import context
from workers.app import app
from workers.errors import RunRefused
from workers.retraining import data, models, runs, sides, unlabelled
from workers.retraining.data import HELD, TARGET, UNLABELLED, Items
from workers.retraining.labelled import items_of
from workers.retraining.runner import Commit, Watch, refuse, run
from workers.retraining.runs import Run
from workers.retraining.train import plan_of

if TYPE_CHECKING:
    from ml.gate.labels import LabelCheck

#: Labels that are looked at, at most, of the new and of the trusted ones.
MOST_CHECKED = 600


@app.task(bind=True, name="retrain.prepare")
def prepare(self: "Task[Any, Any]", *, run_id: int, profile: str, method: str) -> str:
    """Freeze the data set of a run."""
    return run(self, run_id, "prepare", _work)


def _work(own: Run, watch: Watch) -> Commit:
    engine = context.engine()
    with engine.begin() as conn:
        champion = models.champion(conn, own.profile_id)
        # Before the labels are read: what comes in between is looked at again, and nothing is missed.
        until = conn.execute(text("SELECT max(imported_at) FROM labels")).scalar()
        trusted = {data.key(item) for one in data.corpora(conn, own.profile_id) for item in one.manifest.items}
    skipped = Skipped()

    def counted(done: int, of: int) -> None:
        watch("reading labels", done, of)
        watch.check()

    with engine.connect() as conn:
        clips = context.settings().models / "clips"
        found = items_of(conn, list(targets(conn)), clips=clips, skipped=skipped, counted=counted)
    with engine.begin() as conn:
        items = [item for _, item in found if item.label in champion.spec["labels"]]
        decided = data.divide(
            conn, own.profile_id, (item.speaker for item in items), float(own.plan.get("holdout", data.HOLDOUT))
        )
    learned, held = data.of_part(items, "train", decided), data.of_part(items, "holdout", decided)
    numbers: dict[str, Any] = {
        "labels": len(items),
        "left_out": dict(skipped.counts) | {"other classes": len(found) - len(items)},
        "left_out_first": dict(skipped.first),
        "learned": counts(learned),
        "held": counts(held),
    }
    refusal: RunRefused | None = None
    try:
        data.require(learned, held)
        numbers["sides"] = sides.chosen(own.plan, champion.spec, learned)
        checked = _checked(items, trusted, champion, watch)
        numbers["label_check"] = asdict(checked)
        if checked.suspicious and not own.plan.get("trust_labels"):
            raise RunRefused("labels_contradict_themselves", f"the labels are not to be trusted: {checked.sentence}")
    except RunRefused as exc:
        refusal = exc
    fingerprint = None
    if refusal is None:
        watch("freezing the data set", 0, 1)
        target, holdout = data.freeze(learned, own.folder / TARGET), data.freeze(held, own.folder / HELD)
        fingerprint = f"{target.fingerprint[:32]}{holdout.fingerprint[:32]}"
        watch("hearing what has no labels", 0, 1)
        numbers["unlabelled"] = _unlabelled(own, champion, found) if sides.SPEECH in numbers["sides"] else None

    def commit(conn: Connection) -> None:
        own.lease.check(conn)
        conn.execute(
            text("""
                UPDATE training_runs
                   SET champion_id = :champion, labels = :labels, labels_until = :until, fingerprint = :fingerprint
                 WHERE id = :id
            """),
            {"id": own.id, "champion": champion.id, "labels": len(items), "until": until, "fingerprint": fingerprint},
        )
        if refusal is not None:
            refuse(conn, own, refusal, **numbers)
        else:
            runs.advance(conn, own, numbers)

    return commit


def _unlabelled(own: Run, champion: models.Version, labelled: Sequence[unlabelled.Pair]) -> dict[str, Any] | None:
    """Freeze what the run's methods hear without labels; None where they hear nothing, or there is nothing."""
    from ml.adaptation.registry import hears_target

    plan = plan_of(own.plan)
    most = int(own.plan.get("unlabelled", unlabelled.USUAL))
    if not most or not hears_target(plan):
        return None
    with context.engine().begin() as conn:
        items = unlabelled.sample(conn, own.profile_id, champion, labelled, most=most, seed=plan.seed)
    if not items:
        return None
    frozen = data.freeze(items, own.folder / UNLABELLED)
    return {
        "utterances": len(items),
        "speakers": len({item.speaker for item in items}),
        "with_words": sum(item.text is not None or item.distribution is not None for item in items),
        "fingerprint": frozen.fingerprint,
    }


def counts(items: Items) -> dict[str, Any]:
    """Utterances, speakers and classes of items, as a report shows them."""
    classes = sorted({item.label or "" for item in items})
    return {
        "utterances": len(items),
        "speakers": len({item.speaker for item in items}),
        "classes": {name: sum(item.label == name for item in items) for name in classes},
    }


def _checked(
    items: list[LabelledUtterance],
    trusted: set[tuple[str, str, str | None]],
    champion: models.Version,
    watch: Watch,
) -> "LabelCheck":
    """Look at the labels that no promoted run has learned from, beside those that one has."""
    from ml.gate.features import pooled
    from ml.gate.labels import check_labels

    watch("looking at labels", 0, 1)
    new = data.some([item for item in items if data.key(item) not in trusted], MOST_CHECKED)
    known = data.some([item for item in items if data.key(item) in trusted], MOST_CHECKED)
    looked = [*new, *known]
    engine = models.engine(champion.spec)
    features = pooled(engine, looked, lambda done, of: watch("looking at labels", done, of))
    watch.check()
    return check_labels(
        features,
        np.asarray([item.class_no for item in looked], dtype=np.int64),
        [item.speaker for item in looked],
        np.arange(len(looked)) < len(new),
    )
