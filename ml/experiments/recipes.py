"""The recipes of `tenor train`: from corpora to everything that a report tells."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ml.corpora.manifest import Manifest, read_manifest
from ml.corpora.types import LabelledUtterance
from ml.encoders.source import encoder_folder
from ml.experiments import bundling
from ml.experiments.context import Context
from ml.experiments.dataset import CorpusPlace, described, frozen, labels_of, make_folds, read
from ml.experiments.encoders import bundled
from ml.experiments.fusing import fuse
from ml.experiments.outcomes import figures, trained
from ml.experiments.speech_run import SpeechResults, probes, reconstructions, run_speech, train_final
from ml.experiments.text_run import TextResults, run_text, train_final_text
from ml.training.checkpoint import write_json
from ml.training.splits import Fold

#: The kind of bundle whose encoder learns before and apart from its classifier, without labels.
LABEL_FREE = "voice-speech"
MANIFEST, TEXT_MANIFEST = "manifest.parquet", "manifest-text.parquet"


def train_makiuchi(context: Context) -> dict[str, Any]:
    """Source A: speech, and text beside it where an encoder is named; returns the report."""
    plan = context.plan
    manifest, notes = _frozen(context, plan.corpora, MANIFEST, "speech")
    _refuse_early(context, manifest)
    speech = run_speech(context, manifest)
    items, labels = speech.prepared.items, speech.prepared.data.labels
    speakers = [item.speaker for item in items]
    rows = [figures(o, labels, speakers, plan.classes) for o in speech.outcomes if len(o.items)]
    report: dict[str, Any] = _report(context, manifest, items, speech.kind, speech.folds) | {
        "rows": rows,
        "missing": [{"name": o.name, "notes": list(o.notes)} for o in speech.outcomes if not len(o.items)],
        "notes": [*notes, *speech.prepared.notes, *_seen_before(context)],
        "reconstruction": reconstructions(speech.results),
        "probe": probes(speech.results),
        "curves": _curves(speech.results),
        "trained": trained(speech.results),
        # Which encoder it was, by the hash of its weights: a bundle's name stays when its weights change.
        "features": dict(speech.prepared.data.shelves),
    }
    text = _text_beside(context, speech) if plan.text_encoders else None
    weights = (0.6, 0.4)
    if text is not None:
        report["text"] = _text_part(context, text)
        report["fusion"] = fuse(context, speech, text)
        weights = (report["fusion"]["w_speech"], report["fusion"]["w_text"])
    if plan.bundle:
        report["bundles"] = _bundles(context, report, speech, text, weights)
    return report


def train_text(context: Context) -> dict[str, Any]:
    """Text alone, over one or more encoders; returns the report."""
    plan = context.plan
    manifest, notes = _frozen(context, plan.corpora, MANIFEST, "text")
    text = _text_of(context, manifest.items)
    report = _report(context, manifest, text.items, text.kind, text.folds) | {"notes": notes}
    report |= _text_part(context, text)
    if plan.bundle:
        report["bundles"] = _bundles(context, report, None, text, (0.0, 1.0))
    return report


def _refuse_early(context: Context, manifest: Manifest) -> None:
    """Raise now what hours of features and training would only lead to.

    That is corpora too small for the folds, texts that are not there, and text encoders that nobody can find.
    """
    plan = context.plan
    development = not plan.faithful
    make_folds(manifest.items, plan.classes, plan.folds, side="speech", seed=plan.seed, development=development)
    for encoder in plan.text_encoders:
        encoder_folder(encoder)
    if plan.text_corpora:
        texts, _ = _frozen(context, plan.text_corpora, TEXT_MANIFEST, "text")
        make_folds(texts.items, plan.classes, None, side="text", seed=plan.seed, development=development)


def _frozen(context: Context, corpora: Sequence[tuple[str, str]], name: str, side: str) -> tuple[Manifest, list[str]]:
    """The run's manifest and what was left out of it: written at its start, only read when it is resumed."""
    path = context.out / name
    kept = path.with_suffix(".left-out.json")
    places = [CorpusPlace(corpus, Path(folder)) for corpus, folder in corpora]
    if path.is_file() and kept.is_file():
        return read_manifest(path), json.loads(kept.read_text(encoding="utf-8"))
    items, notes = read(places, context.plan.classes, side=side)
    write_json(kept, notes)
    return frozen(items, path), notes


def _text_of(context: Context, items: Sequence[LabelledUtterance]) -> TextResults:
    plan = context.plan
    kind, folds = make_folds(
        items, plan.classes, plan.folds, side="text", seed=plan.seed, development=not plan.faithful
    )
    return run_text(context, items, kind, folds[: plan.only_folds])


def _text_beside(context: Context, speech: SpeechResults) -> TextResults:
    """The text side of a speech run: of the same utterances and folds, or of other corpora with folds of their own."""
    plan = context.plan
    if plan.text_corpora:
        manifest, _ = _frozen(context, plan.text_corpora, TEXT_MANIFEST, "text")
        kind, folds = make_folds(
            manifest.items, plan.classes, None, side="text", seed=plan.seed, development=not plan.faithful
        )
        return run_text(context, manifest.items, kind, folds)
    # Items keep their positions, so that both sides' predictions meet; those without text are in no fold.
    items = speech.prepared.items
    written = np.asarray([bool((item.text or "").strip()) for item in items])
    folds = [
        Fold(f.name, f.train[written[f.train]], f.development[written[f.development]], f.test[written[f.test]])
        for f in speech.folds
    ]
    return run_text(context, items, speech.kind, folds)


def _text_part(context: Context, text: TextResults) -> dict[str, Any]:
    labels, speakers = labels_of(text.items, context.plan.classes), [item.speaker for item in text.items]
    return {
        "folds": {"kind": text.kind, "names": [fold.name for fold in text.folds]},
        "rows": [figures(o, labels, speakers, context.plan.classes) for o in text.outcomes],
        "curves": _curves(text.results),
        "trained": trained(text.results),
    }


def _report(
    context: Context, manifest: Manifest, items: Sequence[LabelledUtterance], kind: str, folds: Sequence[Fold]
) -> dict[str, Any]:
    return {
        "recipe": context.plan.recipe,
        "plan": context.plan.to_json(),
        "fingerprint": manifest.fingerprint,
        "licences": manifest.licences,
        "classes": list(context.plan.classes),
        "data": described(items, context.plan.classes),
        "folds": {"kind": kind, "names": [fold.name for fold in folds]},
    }


def _seen_before(context: Context) -> list[str]:
    """What a bundle's encoder heard before; where these corpora are among it with labels, figures flatter."""
    known = bundled(context.plan.encoder) if set(context.plan.variants) - {"mel"} else None
    if known is None:
        return []
    if known.kind == LABEL_FREE:
        return [f"the encoder of {known.name} learned without labels, from other people's speech"]
    return [
        f"the encoder of {known.name} was trained itself, on {'; '.join(known.training_data)}: figures for these "
        "speakers are too good, except of the mel-input model and of baselines that do not use it"
    ]


def _curves(results: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    return {name: [result["history"] for result in own] for name, own in results.items()}


def _bundles(
    context: Context,
    report: dict[str, Any],
    speech: SpeechResults | None,
    text: TextResults | None,
    weights: tuple[float, float],
) -> dict[str, Any]:
    """Train on everything, write what a profile can name; returns where it is."""
    written: dict[str, Any] = {}
    kept = ("n", "accuracy", "balanced_accuracy", "macro_f1", "weighted_f1", "recall", "ece_before", "ece_after")
    if speech is not None:
        final = train_final(context, speech)
        metrics = {"cross_validation": {name: report["rows"][0][name] for name in kept}}
        written["speech"] = str(bundling.speech_bundle(context, final, metrics))
    if text is not None:
        rows = report["text"]["rows"] if "text" in report else report["rows"]
        final = train_final_text(context, text)
        languages = sorted({item.language for item in text.items})
        metrics = {"cross_validation": {name: rows[0][name] for name in kept}}
        written["text"] = str(bundling.text_bundle(context, final, metrics, languages))
    if "speech" in written:
        written["profile"] = str(
            bundling.write_profile(context, [side for side in ("speech", "text") if side in written], weights)
        )
    return written
