"""Adapt a speech model to a corpus: the one function that retraining calls.

    side = BundleSide("shipped:mini-speech").resolve("speech")
    adapted = adapt(AdaptationPlan.of("finetune"), champion=side, target=labelled, source=[], unlabelled=[], out=folder)

Everything that the run makes lies in `out`: `bundle`, and in `work` its checkpoint and the features it computed. Called
again with the same arguments it goes on where it was killed or stopped, to the same weights (on a CPU with the same
number of threads, bit for bit).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ml.adaptation.errors import Stopped
from ml.adaptation.export import export
from ml.adaptation.gathering import Gathered, banks, material
from ml.adaptation.loop import Loop, Progress
from ml.adaptation.method import Work, scores
from ml.adaptation.network import Champion
from ml.adaptation.plan import AdaptationPlan
from ml.adaptation.reading_out import fit_readout
from ml.adaptation.registry import build, check
from ml.adaptation.relatedness import relatedness
from ml.adaptation.starts import begin
from ml.adaptation.voices import Vectors
from ml.alignment.voice import Hear
from ml.bundles import BundleMeta
from ml.corpora.manifest import Manifest
from ml.corpora.types import LabelledUtterance
from ml.device import torch_device
from ml.training.metrics import balanced_accuracy, expected_calibration_error

BUNDLE, WORK = "bundle", "work"


@dataclass(frozen=True, slots=True)
class Adapted:
    """A new model."""

    #: The folder of its bundle, a location for profiles.
    bundle: Path
    meta: BundleMeta
    #: What was found on the way: task relatedness, effective sample size, figures of the development speakers.
    notes: dict[str, Any]


def adapt(
    plan: AdaptationPlan,
    *,
    champion: dict[str, Any],
    target: Manifest | None,
    source: Sequence[Manifest] = (),
    unlabelled: Sequence[LabelledUtterance] = (),
    out: Path,
    report: Callable[[Progress], None] = lambda _: None,
    stop: Callable[[], bool] = lambda: False,
    device: str = "auto",
    cache: Path | None = None,
    voices: Vectors | None = None,
    embed: Hear | None = None,
    teacher: dict[str, Any] | None = None,
) -> Adapted:
    """Write the bundle of an adapted model below `out`.

    `champion` is the speech side of a profile version's specification (or `BundleSide(location).resolve("speech")`).
    `target` is labelled, `source` are labelled earlier corpora; labels of `unlabelled` items are not looked at.
    `report` hears how related the tasks are before anything learns, and of every step; `stop` is asked before every
    one. `cache` keeps features for other runs; `voices` are speaker vectors that the pipeline has already, `embed`
    makes the others; `teacher` is the text side.
    Raises `PlanInvalid`, `DataLacking`, `SupportTooSmall`, `ModelUnsupported`, `Stopped`, another `ModelError`, or an
    error of `ml.audio` when audio cannot be read.
    """
    given = {"has_target": target is not None, "has_source": bool(source), "has_unlabelled": bool(unlabelled)}
    differ = plan.labels is not None and set(plan.labels) != set(champion["labels"])
    check(plan, **given, has_teacher=teacher is not None, new_classes=differ, kind=champion["kind"])
    found, work_folder = torch_device(device), out / WORK
    folder = cache or work_folder
    began = begin(plan, Champion.load(champion, found), found)
    parent, labels = began.champion, began.labels

    def counted(kind: str, done: int, of: int) -> None:
        report(Progress(f"preparing {kind}", done, of, {}, None, None))
        if stop():
            raise Stopped(f"stopped while {kind} were prepared, after {done} of {of}")

    gathered = Gathered.of(target, source, unlabelled)
    if began.unread:
        fit_readout(parent, gathered, plan.seed)
    kept = banks(parent, gathered, folder, counted)
    if not kept.frames.lengths.all():
        gathered = gathered.kept(kept.frames.lengths.tolist())
        kept = banks(parent, gathered, folder, counted)
    data = material(gathered, parent, labels, plan, folder, voices=voices or {}, embed=embed)
    work = Work(parent.network, data, labels, plan, kept.frames, float(champion["temperature"]), found, teacher)
    related = relatedness(work).to_json()
    work.notes["relatedness"] = related
    report(Progress("relatedness", 0, 1, {name: own for name, own in related.items() if own is not None}, None, None))
    torch.manual_seed(plan.seed)
    methods = [build(choice, work).to(found) for choice in plan.methods]
    run = {"plan": plan.to_json(), "parent": champion["sha256"], "data": gathered.fingerprint()}
    loop = Loop(work, methods, kept.conv, work_folder / "adaptation.safetensors", run)
    history = loop.run(report, stop)
    temperature = _judged(work, loop, began.temperature)
    for method in methods:
        method.finish(parent.network)
    manifests = (*(() if target is None else (target,)), *source)
    about = run | {"manifests": [one.fingerprint for one in manifests], "history": history.rows, "notes": work.notes}
    changed = began.changed or loop.conv
    meta = export(
        parent, out / BUNDLE, labels=labels, temperature=temperature, changed=changed, data=manifests, about=about
    )
    return Adapted(out / BUNDLE, meta, work.notes)


def _judged(work: Work, loop: Loop, temperature: float) -> float:
    """The temperature that the development speakers give, and their figures among the notes."""
    data, held = work.material, work.material.development
    if not len(held):
        return temperature
    labels = data.labels[held]
    found = scores(work.network, data, loop.bank(loop.conv), held, work.device, conv=loop.conv)
    fitted = found.fitted_temperature(labels)
    probabilities = found.probabilities(fitted)
    work.notes["development"] = {
        "speakers": sorted({data.items[i].speaker for i in held}),
        "utterances": len(held),
        "balanced_accuracy": balanced_accuracy(labels, np.asarray(probabilities.argmax(axis=1))),
        "calibration_error": expected_calibration_error(probabilities, labels),
        # None: the last one stands.
        "chosen_step": loop.history.best_step if loop.history.rows else None,
    }
    return fitted
