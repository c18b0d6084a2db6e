"""Saving and loading bundles; weights are checked against their hash before they are parsed."""

import hashlib
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import fsspec

from ml.bundles.errors import BundleCorrupt, BundleMissing
from ml.bundles.meta import META, WEIGHTS, BundleMeta, read_meta, resolve_location

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Bundle:
    """A loaded bundle; tensors keep their stored type."""

    meta: BundleMeta
    tensors: "dict[str, Tensor]"

    def part(self, prefix: str) -> "dict[str, Tensor]":
        """The tensors below `prefix.`, without it."""
        start = f"{prefix}."
        return {name.removeprefix(start): t for name, t in self.tensors.items() if name.startswith(start)}


def save_bundle(folder: Path, meta: BundleMeta, tensors: "dict[str, Tensor]") -> BundleMeta:
    """Write a bundle; both files appear whole or not at all. Returns the meta with the weights' hash."""
    from safetensors.torch import save

    folder.mkdir(parents=True, exist_ok=True)
    weights = save({name: tensors[name].contiguous() for name in sorted(tensors)})
    meta = replace(meta, sha256=hashlib.sha256(weights).hexdigest())
    for name, content in ((WEIGHTS, weights), (META, meta.to_json().encode())):
        partial = folder / f".{name}.{os.getpid()}"
        partial.write_bytes(content)
        os.replace(partial, folder / name)
    return meta


def load_bundle(location: str, sha256: str | None = None) -> Bundle:
    """Load `shipped:NAME`, a folder or an fsspec URL.

    `sha256` is the hash a profile version pinned. Raises `BundleMissing`, or `BundleCorrupt` when the weights are not
    the pinned ones or not the ones `bundle.json` names.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    meta = read_meta(location)
    try:
        with fsspec.open(f"{resolve_location(location)}/{WEIGHTS}", "rb") as file:
            content = file.read()
    except FileNotFoundError as exc:
        raise BundleMissing(f"the bundle at {location} has no {WEIGHTS}") from exc
    actual = hashlib.sha256(content).hexdigest()
    if actual != meta.sha256 or (sha256 is not None and actual != sha256):
        raise BundleCorrupt(f"the weights of {location} are not those that were pinned")
    try:
        return Bundle(meta, load(content))
    except SafetensorError as exc:
        raise BundleCorrupt(f"the weights of {location} cannot be parsed") from exc
