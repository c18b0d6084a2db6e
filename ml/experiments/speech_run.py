"""The speech side of a run: variants of the model and baselines over the same folds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ml.corpora.manifest import Manifest
from ml.experiments import baselines
from ml.experiments.context import Context
from ml.experiments.dataset import make_folds
from ml.experiments.encoders import layers_of, speech_encoder
from ml.experiments.folds import compute_fold
from ml.experiments.outcomes import Outcome, of_folds
from ml.experiments.plan import NO_RECONSTRUCTION
from ml.experiments.speech_folds import SpeechJob
from ml.experiments.speech_preparation import Prepared, prepare_speech
from ml.training.crossval import Piece
from ml.training.splits import Fold, development_set

#: The fold that trains on everybody, for a bundle.
ALL = "all"
#: Width of the paper's encoder, where there is none.
PAPER_WIDTH = 1024


@dataclass
class SpeechResults:
    """What the speech side found, by variant."""

    prepared: Prepared
    kind: str
    folds: list[Fold]
    results: dict[str, list[dict[str, Any]]]
    outcomes: list[Outcome]


def run_speech(context: Context, manifest: Manifest) -> SpeechResults:
    """Prepare, train every variant on every fold, and try the baselines."""
    plan = context.plan
    variants = list(plan.variants)
    if "mel" in plan.baselines and "mel" not in variants:
        variants.append("mel")
    encoder = plan.encoder if set(variants) - {"mel"} else None
    reconstructs = any(variant != NO_RECONSTRUCTION for variant in variants)
    prepared = prepare_speech(
        manifest,
        plan.classes,
        context.cache,
        encoder=encoder,
        phones=reconstructs,
        device=plan.device,
        counted=context.watch.counted,
    )
    kind, folds = make_folds(
        prepared.items, plan.classes, plan.folds, side="speech", seed=plan.seed, development=not plan.faithful
    )
    folds = folds[: plan.only_folds]
    results: dict[str, list[dict[str, Any]]] = {}
    for variant in variants:
        pieces = [_piece(context, prepared, variant, fold, first=fold is folds[0]) for fold in folds]
        results[variant] = context.compute(f"speech, {variant}", pieces, compute_fold)
    outcomes = [
        replace(of_folds(variant, own), kind="model" if variant in plan.variants else "baseline")
        for variant, own in results.items()
    ]
    for name in baselines.SPEECH:
        if name in plan.baselines and (name != baselines.POOLED or encoder is not None):
            context.watch.say(f"baseline: {name}")
            outcomes.append(baselines.speech_baseline(name, prepared.items, prepared.data, folds))
    return SpeechResults(prepared, kind, folds, results, outcomes)


def train_final(context: Context, speech: SpeechResults) -> dict[str, Any]:
    """Train the first variant on all speakers, for a bundle."""
    variant = context.plan.variants[0]
    data, seed = speech.prepared.data, context.plan.seed
    train, held = np.arange(len(data)), np.zeros(0, dtype=np.int64)
    if not context.plan.faithful:
        train, held = development_set(train, data.speakers, data.labels, seed=seed)
    fold = Fold(ALL, train, held, np.zeros(0, dtype=np.int64))
    piece = _piece(context, speech.prepared, variant, fold, first=False, keep=True)
    return context.compute(f"speech, {variant}, all speakers", [piece], compute_fold)[0]


def _piece(
    context: Context, prepared: Prepared, variant: str, fold: Fold, *, first: bool, keep: bool = False
) -> Piece[SpeechJob]:
    plan = context.plan
    width = layers = 0
    if variant != "mel":
        encoder = speech_encoder(plan.encoder, plan.device)
        width, layers = encoder.hidden_size, layers_of(encoder)
    elif plan.encoder and set(plan.variants) != {"mel"}:
        # The width that the other variants' channels follow from.
        width = speech_encoder(plan.encoder, plan.device).hidden_size
    job = SpeechJob(
        data=prepared.data,
        config=plan.speech_config(variant, width or PAPER_WIDTH, layers),
        schedule=plan.schedule,
        fold=fold,
        seed=plan.seed,
        device=plan.device,
        weighted=plan.weighted and not plan.faithful,
        released=plan.faithful,
        probe=plan.probe and first and variant in {"small", "large"},
        keep=keep,
    )
    return Piece(f"{variant} {fold.name}", context.folder("speech", variant, fold.name), job)


def probes(results: Mapping[str, Sequence[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Rows of the table of the speaker probe."""
    return [{"variant": variant, **own[0]["probe"]} for variant, own in results.items() if own and "probe" in own[0]]


def reconstructions(results: Mapping[str, Sequence[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Rows about the mel spectrogram rebuilt for unseen speakers, over all folds; None where none is rebuilt."""
    rows = []
    for variant, own in results.items():
        parts = [result["reconstruction"] for result in own if "reconstruction" in result]
        frames = sum(part["frames"] for part in parts)
        errors = {
            name: sum(part[name] * part["frames"] for part in parts) / frames if parts else None
            for name in ("model", "mean_mel")
        }
        rows.append({"variant": variant, **errors})
    return rows
