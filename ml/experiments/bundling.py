"""What a run leaves for use: bundles of the final models, and a profile that names them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ml.bundles import BundleMeta, save_bundle
from ml.corpora.registry import find_importer
from ml.encoders.source import weights_sha256
from ml.experiments.context import Context
from ml.experiments.encoders import bundled, speech_encoder
from ml.experiments.folds import MODEL
from ml.experiments.speech_run import ALL
from ml.training.checkpoint import read_checkpoint

SPEECH, TEXT, PROFILE = "speech", "text", "profile.toml"


def speech_bundle(context: Context, result: dict[str, Any], metrics: dict[str, Any]) -> Path:
    """Write the bundle of the speech model that was trained on all speakers; weights in half precision.

    An encoder of a bundle goes with it; a checkpoint, which may be large, is named by source and hash.
    """
    plan = context.plan
    tensors, state = read_checkpoint(context.folder("speech", plan.variants[0], ALL) / MODEL)
    known = None
    config: dict[str, Any] = {"encoder": {"source": "mel"}, "head": state["config"]["emotion"]}
    if plan.variants[0] != "mel":
        known = bundled(plan.encoder)
        encoder = speech_encoder(plan.encoder, plan.device)
        config |= {"do_normalize": encoder.do_normalize, "centred": encoder.centred}
        if known is None:
            config["encoder"] = _named(plan.encoder)
        else:
            config["encoder"] = known.config["encoder"]
            tensors |= {f"encoder.{name}": tensor for name, tensor in encoder.model.state_dict().items()}
    folder = context.out / "bundles" / SPEECH
    meta = _meta(context, "makiuchi-speech", config, metrics, result, languages=(), corpora=plan.corpora)
    if known is not None:
        meta = _inherit(meta, known)
    save_bundle(folder, meta, _half(tensors))
    return folder


def text_bundle(context: Context, result: dict[str, Any], metrics: dict[str, Any], languages: Sequence[str]) -> Path:
    """Write the bundle of the text model; its encoder is named by source and hash, as it was not changed."""
    plan = context.plan
    encoder = plan.text_encoders[0]
    tensors, state = read_checkpoint(context.folder("text", encoder, ALL) / MODEL)
    config = {"encoder": _named(encoder), "head": state["config"]}
    folder = context.out / "bundles" / TEXT
    corpora = plan.text_corpora or plan.corpora
    meta = _meta(context, "makiuchi-text", config, metrics, result, languages=tuple(languages), corpora=corpora)
    save_bundle(folder, meta, _half(tensors))
    return folder


def write_profile(context: Context, sides: Sequence[str], weights: tuple[float, float]) -> Path:
    """A profile over the bundles that were written, beside them."""
    labels = ", ".join(f'"{name}"' for name in context.plan.classes)
    lines = [f"labels = [{labels}]", ""]
    for side in sides:
        lines += [f"[{side}]", f'bundle = "bundles/{side}"', ""]
    if len(sides) == 2:
        lines += ["[fusion]", f"w_speech = {weights[0]}", f"w_text = {weights[1]}", ""]
    path = context.out / PROFILE
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def _meta(
    context: Context,
    kind: str,
    config: dict[str, Any],
    metrics: dict[str, Any],
    result: dict[str, Any],
    *,
    languages: tuple[str, ...],
    corpora: Sequence[tuple[str, str]],
) -> BundleMeta:
    names = [name for name, _ in corpora]
    licences = sorted({find_importer(name).licence for name in names})
    return BundleMeta(
        name=context.out.resolve().name,
        kind=kind,
        config=config,
        labels=context.plan.classes,
        languages=languages,
        licence=" and ".join(licences),
        notice=f"trained on {', '.join(names)}, under {' and '.join(licences)}",
        training_data=tuple(names),
        metrics=metrics,
        temperature=float(result["temperature"] or 1.0),
    )


def _inherit(meta: BundleMeta, encoder: BundleMeta) -> BundleMeta:
    """A model is no freer than the encoder that it holds."""
    licence = meta.licence if encoder.licence in meta.licence else f"{meta.licence} and {encoder.licence}"
    return replace(
        meta,
        licence=licence,
        notice=f"{meta.notice}; encoder of {encoder.name}: {encoder.notice}",
        training_data=(*meta.training_data, *(f"encoder: {name}" for name in encoder.training_data)),
    )


def _named(encoder: str) -> dict[str, Any]:
    """An encoder that stays where it is: its source and the hash of its weights."""
    source = str(Path(encoder).resolve()) if Path(encoder).is_dir() else encoder
    return {"source": source, "sha256": weights_sha256(source)}


def _half(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: t.to(torch.float16) if t.is_floating_point() else t for name, t in tensors.items()}
