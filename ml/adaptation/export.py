"""An adapted network as a bundle that inference loads like any other."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ml.adaptation.network import Champion
from ml.bundles import BundleMeta, save_bundle
from ml.bundles.meta import read_meta
from ml.corpora.manifest import Manifest

#: What the configuration of a checkpoint says beside sizes; a bundle does without.
_UNSAID = {"architectures", "transformers_version", "model_type", "dtype", "torch_dtype", "_name_or_path"}


def export(
    champion: Champion,
    out: Path,
    *,
    labels: tuple[str, ...],
    temperature: float,
    changed: bool,
    data: tuple[Manifest, ...],
    about: Mapping[str, Any],
) -> BundleMeta:
    """Write the bundle in half precision. `changed`: the encoder is not the one that the parent names, so it goes in.

    `about` stands in the description as `metrics["adaptation"]`: parent, methods, data, what the run found.
    """
    parent, side, network = read_meta(champion.side["location"]), champion.side, champion.network
    tensors = {f"head.{name}": t for name, t in network.head.state_dict().items()}
    config = dict(side["config"]) | {"head": network.head.to_config()}
    if network.encoder is not None and network.layer_weights is not None:
        tensors["layer_weights"] = network.layer_weights.detach()
        if changed or "source" not in config["encoder"]:
            config["encoder"] = _sizes(network.encoder) if changed else config["encoder"]
            tensors |= {f"encoder.{name}": t for name, t in network.encoder.state_dict().items()}
    meta = replace(
        parent,
        config=config,
        labels=labels,
        licence=joined_licences([parent.licence, *(own for one in data for own in one.licences.values())]),
        notice=_notice(parent, data),
        training_data=tuple(dict.fromkeys([*parent.training_data, *_corpora(data)])),
        metrics={"adaptation": dict(about)},
        temperature=float(temperature),
    )
    return save_bundle(out, meta, {name: _half(t) for name, t in tensors.items()})


def _sizes(encoder: Any) -> dict[str, Any]:
    return {name: value for name, value in encoder.config.to_diff_dict().items() if name not in _UNSAID}


def _half(tensor: Tensor) -> Tensor:
    return tensor.detach().cpu().to(torch.float16) if tensor.is_floating_point() else tensor.detach().cpu()


def _corpora(data: tuple[Manifest, ...]) -> list[str]:
    return sorted({item.corpus for manifest in data for item in manifest.items})


def joined_licences(licences: list[str]) -> str:
    """Licences once each; "CC BY-NC-SA 4.0" and "CC-BY-NC-SA-4.0" are the same one."""
    seen = {licence.replace("-", " ").lower(): licence for licence in reversed(licences)}
    return " and ".join(sorted(seen.values()))


def _notice(parent: BundleMeta, data: tuple[Manifest, ...]) -> str:
    corpora = ", ".join(_corpora(data))
    return (
        f"{parent.notice}; adapted to {corpora}"
        if corpora and f"adapted to {corpora}" not in parent.notice
        else parent.notice
    )
