"""Saving and loading bundles; weights are checked against their hash before they are parsed."""

import hashlib
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import fsspec

from ml.bundles.errors import BundleCorrupt, BundlePickled
from ml.bundles.meta import META, WEIGHTS, BundleMeta, read_file, read_meta, resolve_location

if TYPE_CHECKING:
    from torch import Tensor

#: Endings of what pickle is in, by itself or in torch's own format.
PICKLED = (".pkl", ".pickle", ".pt", ".pth", ".bin", ".ckpt", ".joblib", ".npy", ".npz")


@dataclass(frozen=True, slots=True)
class Bundle:
    """A loaded bundle; tensors keep their stored type."""

    meta: BundleMeta
    tensors: "dict[str, Tensor]"
    #: The location it was loaded from.
    path: str

    def part(self, prefix: str) -> "dict[str, Tensor]":
        """The tensors below `prefix.`, without it."""
        start = f"{prefix}."
        return {name.removeprefix(start): t for name, t in self.tensors.items() if name.startswith(start)}


def save_bundle(folder: Path, meta: BundleMeta, tensors: "dict[str, Tensor]") -> BundleMeta:
    """Write a bundle and return the meta with the weights' hash; equal bundles give equal bytes.

    Each file appears whole or not at all. Who reads between the two renames sees a hash that does not fit, never
    weights under another model's description.
    """
    from safetensors.torch import save

    folder.mkdir(parents=True, exist_ok=True)
    weights = save({name: tensors[name].contiguous() for name in sorted(tensors)})
    meta = replace(meta, sha256=hashlib.sha256(weights).hexdigest())
    partials = {name: folder / f".{name}.{os.getpid()}" for name in (WEIGHTS, META)}
    try:
        partials[WEIGHTS].write_bytes(weights)
        partials[META].write_text(meta.to_json(), encoding="utf-8")
        for name, partial in partials.items():
            os.replace(partial, folder / name)
    finally:
        for partial in partials.values():
            partial.unlink(missing_ok=True)
    return meta


def _refuse_pickle(location: str) -> None:
    """Nothing would read such a file; but whoever made the bundle may not be who one thinks."""
    try:
        files, folder = fsspec.url_to_fs(resolve_location(location))
        names = [str(name).rpartition("/")[2] for name in files.ls(folder, detail=False)]
    except (OSError, ValueError, NotImplementedError):
        return  # A store that lists nothing.
    if pickled := [name for name in sorted(names) if name.lower().endswith(PICKLED)]:
        raise BundlePickled(f"the bundle at {location} holds {pickled[0]}, and pickle is never read")


def load_bundle(location: str, sha256: str | None = None) -> Bundle:
    """Load `shipped:NAME`, a folder or an fsspec URL.

    `sha256` is the hash a profile version pinned. Raises `BundleMissing`; `BundlePickled`; or `BundleCorrupt` when the
    weights are not the pinned ones or not the ones `bundle.json` names.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    meta = read_meta(location)
    _refuse_pickle(location)
    content = read_file(location, WEIGHTS)
    actual = hashlib.sha256(content).hexdigest()
    if actual != meta.sha256:
        raise BundleCorrupt(f"the weights of {location} are not those that its {META} names")
    if sha256 is not None and actual != sha256:
        raise BundleCorrupt(
            f"the bundle at {location} is another version than the one that was pinned",
            hint="Put the pinned version back, or enqueue again with the profile as it is now.",
        )
    try:
        return Bundle(meta, load(content), location)
    except SafetensorError as exc:
        raise BundleCorrupt(f"the weights of {location} cannot be parsed") from exc
