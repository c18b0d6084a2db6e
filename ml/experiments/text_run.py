"""The text side of a run: source A's CNN over one or more encoders, and baselines over the same folds."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ml.corpora.types import LabelledUtterance
from ml.experiments import baselines
from ml.experiments.context import Context
from ml.experiments.folds import compute_fold
from ml.experiments.outcomes import Outcome, of_folds
from ml.experiments.speech_run import ALL
from ml.experiments.text_folds import TextJob
from ml.experiments.text_preparation import prepare_text, text_config
from ml.training.crossval import Piece
from ml.training.features import TextSet
from ml.training.splits import Fold, development_set


@dataclass
class TextResults:
    """What the text side found, by encoder."""

    items: tuple[LabelledUtterance, ...]
    kind: str
    folds: list[Fold]
    data: dict[str, TextSet]
    results: dict[str, list[dict[str, Any]]]
    outcomes: list[Outcome]


def run_text(context: Context, items: Sequence[LabelledUtterance], kind: str, folds: list[Fold]) -> TextResults:
    """Prepare, train over every encoder on every fold, and try the baselines."""
    plan = context.plan
    found = TextResults(tuple(items), kind, folds, {}, {}, [])
    for encoder in plan.text_encoders:
        found.data[encoder] = _prepared(context, items, encoder)
        pieces = [_piece(context, found.data[encoder], encoder, fold) for fold in folds]
        found.results[encoder] = context.compute(f"text, {encoder}", pieces, compute_fold)
        found.outcomes.append(of_folds(encoder, found.results[encoder]))
    for name in baselines.TEXT:
        if name not in plan.baselines:
            continue
        context.watch.say(f"baseline: {name}")
        for number, (encoder, data) in enumerate(found.data.items()):
            if number and name != baselines.POOLED:
                break
            outcome = baselines.text_baseline(name, items, data, folds)
            many = name == baselines.POOLED and len(found.data) > 1
            found.outcomes.append(replace(outcome, name=f"{name} ({encoder})") if many else outcome)
    return found


def train_final_text(context: Context, text: TextResults) -> dict[str, Any]:
    """Train over the first encoder on all items, for a bundle."""
    encoder, plan = context.plan.text_encoders[0], context.plan
    data = text.data[encoder]
    train, held = np.arange(len(data)), np.zeros(0, dtype=np.int64)
    if not plan.faithful:
        groups = [item.dialogue or item.speaker for item in text.items]
        train, held = development_set(train, groups, data.labels, seed=plan.seed)
    fold = Fold(ALL, train, held, np.zeros(0, dtype=np.int64))
    piece = _piece(context, data, encoder, fold, keep=True)
    return context.compute(f"text, {encoder}, all items", [piece], compute_fold)[0]


def _prepared(context: Context, items: Sequence[LabelledUtterance], encoder: str) -> TextSet:
    plan = context.plan
    config = text_config(encoder, len(plan.classes), faithful=plan.faithful, device=plan.device)
    return prepare_text(
        items,
        plan.classes,
        context.cache,
        encoder=encoder,
        config=config,
        device=plan.device,
        counted=context.watch.counted,
    )


def _piece(context: Context, data: TextSet, encoder: str, fold: Fold, *, keep: bool = False) -> Piece[TextJob]:
    plan = context.plan
    job = TextJob(
        data=data,
        config=text_config(encoder, len(plan.classes), faithful=plan.faithful, device=plan.device),
        schedule=plan.text_schedule,
        fold=fold,
        seed=plan.seed,
        device=plan.device,
        weighted=plan.weighted and not plan.faithful,
        keep=keep,
    )
    return Piece(f"{encoder} {fold.name}", context.folder("text", encoder, fold.name), job)
