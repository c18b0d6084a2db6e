"""retrain.train: the frozen data set and the champion → a challenger's bundle, from checkpoints that survive a kill."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from celery import Task
from sqlalchemy import Connection

from db.errors import LeaseLost
from workers import context
from workers.app import app
from workers.errors import RunRefused
from workers.retraining import data, models, runs
from workers.retraining.data import TARGET, UNLABELLED
from workers.retraining.runner import Commit, Watch, run
from workers.retraining.runs import Run

if TYPE_CHECKING:
    from ml.adaptation.loop import Progress
    from ml.adaptation.plan import AdaptationPlan
    from ml.corpora.manifest import Manifest

#: Below the run's folder: the challenger's bundle, and what training keeps while it lasts.
ADAPTED = "adapted"


@app.task(bind=True, name="retrain.train")
def train(self: "Task[Any, Any]", *, run_id: int, profile: str, method: str) -> str:
    """Adapt the champion to the data set of a run."""
    return run(self, run_id, "train", _work)


def _work(own: Run, watch: Watch) -> Commit:
    import torch

    from ml.adaptation.adapt import adapt
    from ml.adaptation.errors import AdaptationError, Stopped

    torch.set_num_threads(context.settings().torch_threads)
    with context.engine().begin() as conn:
        assert own.champion_id is not None
        champion = models.version(conn, own.champion_id)
        sources = _sources(conn, own)
    target = data.frozen(own.folder / TARGET, check_audio=True)
    heard = data.frozen(own.folder / UNLABELLED, check_audio=True).items if own.numbers.get("unlabelled") else ()

    def report(at: "Progress") -> None:
        figures = dict(at.losses)
        if at.eta_s is not None:
            figures["eta_s"] = at.eta_s
        if at.development is not None:
            figures["development"] = at.development
        watch(f"training: {at.stage}", at.step, at.total, **figures)

    try:
        adapted = adapt(
            plan_of(own.plan),
            champion=champion.spec["speech"],
            target=target,
            source=sources,
            unlabelled=heard,
            out=own.folder / ADAPTED,
            report=report,
            stop=watch.stopped,
            device=models.device(),
            embed=models.embed(),
            # What the text model says of transcripts can teach the voice (`cross-modal`).
            teacher=champion.spec.get("text"),
        )
    except Stopped as exc:
        raise LeaseLost(f"run {own.id} was cancelled or taken over") from exc
    except AdaptationError as exc:
        # Another attempt would meet the same data and the same plan.
        raise RunRefused(exc.code, f"{exc}. {exc.hint}") from exc
    numbers = {
        "training": {
            "bundle": str(adapted.bundle),
            "methods": list(plan_of(own.plan).names),
            "sources": [manifest.path.stem for manifest in sources],
            **_finite(adapted.notes),
        }
    }
    return lambda conn: runs.advance(conn, own, numbers)


def plan_of(plan: dict[str, Any]) -> "AdaptationPlan":
    """What is trained, as a run's plan says it; raises `PlanInvalid`."""
    from ml.adaptation.plan import AdaptationPlan, MethodChoice

    given = AdaptationPlan.from_json({"methods": [{"name": "finetune"}], **plan.get("training", {})})
    if plan.get("method"):
        return replace(given, methods=tuple(MethodChoice(name) for name in plan["method"].split("+")))
    return given


def _sources(conn: Connection, own: Run) -> "list[Manifest]":
    """The registered corpora, without the people of them that challengers are tested on."""
    found = []
    for corpus in data.corpora(conn, own.profile_id):
        if corpus.role == "reference":
            decided = data.divide(
                conn, own.profile_id, (item.speaker for item in corpus.manifest.items), data.HOLDOUT
            )  # fmt: skip
            if items := data.of_part(corpus.manifest.items, "train", decided):
                found.append(data.freeze(items, own.folder / f"source-{corpus.name}.parquet"))
    return found


def _finite(notes: dict[str, Any]) -> dict[str, Any]:
    """What training found out, without numbers that JSON cannot hold."""
    import math

    def clean(value: Any) -> Any:
        if isinstance(value, dict):
            return {str(name): clean(own) for name, own in value.items()}
        if isinstance(value, list | tuple):
            return [clean(own) for own in value]
        return None if isinstance(value, float) and not math.isfinite(value) else value

    cleaned: dict[str, Any] = clean(notes)
    return cleaned
