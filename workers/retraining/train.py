"""retrain.train: the frozen data set and the champion → a challenger's models, from checkpoints that survive a kill."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from celery import Task
from sqlalchemy import Connection

from db.errors import LeaseLost
from workers import context
from workers.app import app
from workers.errors import RunRefused
from workers.retraining import data, models, runs, sides
from workers.retraining.data import TARGET, UNLABELLED
from workers.retraining.runner import Commit, Watch, run
from workers.retraining.runs import Run

if TYPE_CHECKING:
    from ml.adaptation.loop import Progress
    from ml.adaptation.plan import AdaptationPlan
    from ml.adaptation.text import TextPlan
    from ml.corpora.manifest import Manifest

#: Below the run's folder: the challenger's speech and text models, and what training keeps while it lasts.
ADAPTED, ADAPTED_TEXT = "adapted", "adapted-text"


@app.task(bind=True, name="retrain.train")
def train(self: "Task[Any, Any]", *, run_id: int, profile: str, method: str) -> str:
    """Adapt the champion to the data set of a run."""
    return run(self, run_id, "train", _work)


def _work(own: Run, watch: Watch) -> Commit:
    import torch

    from ml.adaptation.errors import AdaptationError, Stopped

    torch.set_num_threads(context.settings().torch_threads)
    with context.engine().begin() as conn:
        assert own.champion_id is not None
        champion = models.version(conn, own.champion_id).spec
        sources = _sources(conn, own)
    target = data.frozen(own.folder / TARGET, check_audio=True)
    wanted = own.numbers.get("sides", [sides.SPEECH])
    found: dict[str, Any] = {"sources": [manifest.path.stem for manifest in sources]}
    try:
        if sides.SPEECH in wanted:
            found |= _speech(own, watch, champion, target, sources)
        else:
            found["development"] = {"speakers": _development(own, target)}
        if sides.TEXT in wanted:
            # Nobody who fits temperatures and weights may have been learned from by either model.
            people = found.get("development", {}).get("speakers", ())
            found[sides.TEXT] = _text(own, watch, champion, target, sources, people)
    except Stopped as exc:
        raise LeaseLost(f"run {own.id} was cancelled or taken over") from exc
    except AdaptationError as exc:
        # Another attempt would meet the same data and the same plan.
        raise RunRefused(exc.code, f"{exc}. {exc.hint}") from exc
    return lambda conn: runs.advance(conn, own, {"training": found})


def _speech(
    own: Run, watch: Watch, champion: dict[str, Any], target: "Manifest", sources: "list[Manifest]"
) -> dict[str, Any]:
    from ml.adaptation.adapt import adapt

    heard = data.frozen(own.folder / UNLABELLED, check_audio=True).items if own.numbers.get("unlabelled") else ()
    adapted = adapt(
        plan_of(own.plan),
        champion=champion["speech"],
        target=target,
        source=sources,
        unlabelled=heard,
        out=own.folder / ADAPTED,
        report=_told(watch),
        stop=watch.stopped,
        device=models.device(),
        embed=models.embed(),
        # What the text model says of transcripts can teach the voice (`cross-modal`).
        teacher=champion.get("text"),
    )
    return {"bundle": str(adapted.bundle), "methods": list(plan_of(own.plan).names), **_finite(adapted.notes)}


def _text(
    own: Run,
    watch: Watch,
    champion: dict[str, Any],
    target: "Manifest",
    sources: "list[Manifest]",
    development: Iterable[str],
) -> dict[str, Any]:
    from ml.adaptation.text import adapt_text

    adapted = adapt_text(
        text_plan_of(own.plan),
        champion=champion["text"],
        target=target,
        source=sources,
        out=own.folder / ADAPTED_TEXT,
        report=_told(watch),
        stop=watch.stopped,
        device=models.device(),
        development=set(development),
    )
    return {"bundle": str(adapted.bundle), **_finite(adapted.notes)}


def _told(watch: Watch) -> "Callable[[Progress], None]":
    def report(at: "Progress") -> None:
        figures = dict(at.losses)
        if at.eta_s is not None:
            figures["eta_s"] = at.eta_s
        if at.development is not None:
            figures["development"] = at.development
        watch(f"training: {at.stage}", at.step, at.total, **figures)

    return report


def _development(own: Run, target: "Manifest") -> list[str]:
    """Speakers that decide when a text model is to stop, where no speech model has drawn them."""
    import numpy as np

    from ml.training.splits import SplitImpossible, development_set

    plan = plan_of(own.plan)
    if not plan.development:
        return []
    labels = np.asarray([item.class_no for item in target.items], dtype=np.int64)
    speakers = [item.speaker for item in target.items]
    try:
        _, held = development_set(
            np.arange(len(labels)), speakers, labels, seed=plan.seed, share=plan.development
        )  # fmt: skip
    except SplitImpossible:
        return []
    return sorted({speakers[i] for i in held})


def plan_of(plan: dict[str, Any]) -> "AdaptationPlan":
    """What is trained, as a run's plan says it; raises `PlanInvalid`."""
    from ml.adaptation.plan import AdaptationPlan, MethodChoice

    given = AdaptationPlan.from_json({"methods": [{"name": "finetune"}], **plan.get("training", {})})
    if plan.get("method"):
        return replace(given, methods=tuple(MethodChoice(name) for name in plan["method"].split("+")))
    return given


def text_plan_of(plan: dict[str, Any]) -> "TextPlan":
    """How the text model is trained, as a run's plan says it; raises `PlanInvalid`."""
    from ml.adaptation.text import TextPlan

    labels = plan.get("training", {}).get("labels")
    return TextPlan.from_json({"seed": plan_of(plan).seed, "labels": labels, **plan.get("text", {})})


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
