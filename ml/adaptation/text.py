"""Warm start of the text model: source A's CNN goes on from its weights on the target's transcripts.

Fine-tuning in the sense of Han, Zhao, Wang 2019, section IV.B, with the whole BERT-like encoder frozen: token vectors
are made once and kept. Other methods of transfer are for speech; texts of two corpora differ less than their sound.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ml.adaptation.adapt import BUNDLE, WORK, Adapted
from ml.adaptation.bank import digest
from ml.adaptation.errors import DataLacking, ModelUnsupported, PlanInvalid, Stopped
from ml.adaptation.export import joined_licences
from ml.adaptation.label_set import move_rows
from ml.adaptation.loop import Progress
from ml.bundles import BundleMeta, load_bundle, save_bundle
from ml.corpora.manifest import Manifest
from ml.corpora.types import LabelledUtterance
from ml.device import torch_device
from ml.emotions import EMOTIONS
from ml.inference.makiuchi import MakiuchiText
from ml.models.makiuchi.text import TextEmotionCnn
from ml.training import trainer
from ml.training.emotion_task import EmotionTask
from ml.training.features import TOKENS, CachePlace, TextSet
from ml.training.splits import SplitImpossible, development_set
from ml.training.text_learner import TextLearner

#: Token vectors that are kept on disk at most.
CACHE_BYTES = 20 * 10**9
TEXTS_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class TextPlan:
    """How long and how fast; the rate is a fifth of that from nothing. Raises `PlanInvalid`."""

    steps: int = 600
    batch: int = 32
    rate: float = 1e-4
    judge_every: int = 25
    seed: int = 1
    labels: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        numbers = (self.steps, self.batch, self.rate, self.judge_every)
        if any(isinstance(n, bool) or not isinstance(n, int | float) for n in numbers) or min(numbers) <= 0:
            raise PlanInvalid("steps, batch, rate and judge_every of a text plan have to be positive numbers")

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "TextPlan":
        """A plan with these values in the place of the defaults; raises `PlanInvalid` for one that no plan has."""
        if unknown := set(stored) - {f.name for f in fields(cls)}:
            raise PlanInvalid(f"a text plan has no entry {', '.join(sorted(unknown))}")
        labels = stored.get("labels")
        return cls(**{**stored, "labels": None if labels is None else tuple(labels)})


def readable(
    items: Iterable[LabelledUtterance], champion: dict[str, Any], labels: Collection[str]
) -> list[LabelledUtterance]:
    """Those that have words in a language of a text side, and one of these labels."""
    languages = champion["languages"]
    return [i for i in items if i.label in labels and i.text and (not languages or i.language in languages)]


def adapt_text(
    plan: TextPlan,
    *,
    champion: dict[str, Any],
    target: Manifest,
    source: Sequence[Manifest] = (),
    out: Path,
    report: Callable[[Progress], None] = lambda _: None,
    stop: Callable[[], bool] = lambda: False,
    device: str = "auto",
    cache: Path | None = None,
    development: Collection[str] | None = None,
) -> Adapted:
    """Write the bundle of an adapted text model below `out`; resumes and stops as `ml.adaptation.adapt.adapt` does.

    `champion` is the text side of a specification. Items in languages that it does not name are left out. `development`
    are the target's speakers that decide when to stop, None: dialogues drawn for it.
    Raises `DataLacking`, `ModelUnsupported`, `Stopped` or another `ModelError`.
    """
    if champion["kind"] != "makiuchi-text":
        raise ModelUnsupported(f"{champion['name']} is a {champion['kind']} model, which cannot be adapted")
    found = torch_device(device)
    labels = tuple(champion["labels"] if plan.labels is None else [e for e in EMOTIONS if e in plan.labels])
    model = MakiuchiText.load(champion, found)
    items = [item for manifest in (target, *source) for item in manifest.items]
    kept = [item for item in readable(items, champion, labels) if model.spoken(item.text)]
    if len({item.label for item in kept}) < 2:
        raise DataLacking("there are no labelled texts of two classes in the text model's languages")
    data = _tokens(model, champion, kept, labels, cache or out / WORK)
    torch.manual_seed(plan.seed)
    learner = TextLearner(data, replace(model.head.config, classes=len(labels)), device=found)
    _begin(learner.module, model.head, champion["labels"], labels)
    train, held = _split(kept, data.labels, target, plan.seed, development)
    about = {"parent": champion["sha256"], "data": digest(*data.keys, *data.labels), "manifests": [target.fingerprint]}
    # In the name of the file, since the trainer's checkpoint does not know the data.
    checkpoint = out / WORK / f"text-{digest(*about.values())}.safetensors"

    def look(at: trainer.Progress) -> None:
        report(Progress("text", at.step, at.steps, at.losses, at.development.get("score"), None))
        if stop():
            raise Stopped(f"stopped after step {at.step} of {at.steps}")

    task = EmotionTask(learner, train, held, batch=plan.batch, weighted=True)
    schedule = trainer.Schedule(plan.steps, plan.batch, plan.rate, plan.judge_every, patience=plan.steps)
    history = trainer.fit(
        task, schedule, seed=plan.seed, device=found, checkpoint=checkpoint, report=look, checkpoint_s=0.0
    )
    temperature = float(champion["temperature"])
    if len(held):
        temperature = learner.scores(held).fitted_temperature(data.labels[held])
    notes = {
        "texts": len(kept),
        "development": {
            "speakers": sorted({kept[i].speaker for i in held}),
            "utterances": len(held),
            "chosen_step": history.best_step,
        },
    }
    meta = _export(champion, learner, labels, temperature, (target, *source), about | {"notes": notes}, out / BUNDLE)
    return Adapted(out / BUNDLE, meta, notes)


def _tokens(
    model: MakiuchiText,
    champion: dict[str, Any],
    items: Sequence[LabelledUtterance],
    labels: Sequence[str],
    folder: Path,
) -> TextSet:
    place = CachePlace(folder, CACHE_BYTES)
    shelf = place.open().shelf(f"tokens-{champion['sha256'][:16]}")
    texts = [model.spoken(item.text) for item in items]
    keys = [digest(text) for text in texts]
    lacking = sorted({key: i for i, key in enumerate(keys) if not shelf.has(key)}.values())
    for begin in range(0, len(lacking), TEXTS_AT_ONCE):
        group = lacking[begin : begin + TEXTS_AT_ONCE]
        for i, vectors in zip(group, model.tokens([texts[i] for i in group]), strict=True):
            shelf.put(keys[i], {TOKENS: torch.from_numpy(vectors).half()})
    numbers = np.array([list(labels).index(item.label or "") for item in items], dtype=np.int64)
    return TextSet(numbers, place, tuple(keys), shelf.name)


def _begin(module: TextEmotionCnn, parent: TextEmotionCnn, known: Sequence[str], wanted: Sequence[str]) -> None:
    below = {name: t for name, t in parent.state_dict().items() if not name.startswith("classifier.")}
    module.load_state_dict(below, strict=False)
    move_rows(parent.classifier, module.classifier, list(known), wanted)


def _split(
    items: Sequence[LabelledUtterance],
    labels: NDArray[np.int64],
    target: Manifest,
    seed: int,
    development: Collection[str] | None,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Training items of all corpora, and those of the target that decide when to stop."""
    known = {(item.corpus, item.item_id) for item in target.items}
    own = np.array([i for i, item in enumerate(items) if (item.corpus, item.item_id) in known], dtype=np.int64)
    everything = np.arange(len(items))
    if development is not None:
        held = np.array([i for i in own if items[i].speaker in development], dtype=np.int64)
        return np.setdiff1d(everything, held), held
    try:
        _, held = development_set(own, [item.dialogue or item.speaker for item in items], labels, seed=seed)
    except SplitImpossible:
        held = np.zeros(0, dtype=np.int64)
    return np.setdiff1d(everything, held), held


def _export(
    champion: dict[str, Any],
    learner: TextLearner,
    labels: tuple[str, ...],
    temperature: float,
    data: tuple[Manifest, ...],
    about: dict[str, Any],
    out: Path,
) -> BundleMeta:
    """The parent's encoder and its changes, with the new head."""
    parent = load_bundle(champion["location"], champion["sha256"])
    head, config = learner.stored()
    tensors = {name: t for name, t in parent.tensors.items() if not name.startswith("head.")}
    tensors |= {name: t.detach().cpu().half() if t.is_floating_point() else t.cpu() for name, t in head.items()}
    corpora = sorted({item.corpus for manifest in data for item in manifest.items})
    meta = replace(
        parent.meta,
        config=parent.meta.config | {"head": config},
        labels=labels,
        licence=joined_licences([parent.meta.licence, *(own for one in data for own in one.licences.values())]),
        training_data=tuple(dict.fromkeys([*parent.meta.training_data, *corpora])),
        metrics={"adaptation": about},
        temperature=temperature,
    )
    return save_bundle(out, meta, tensors)
