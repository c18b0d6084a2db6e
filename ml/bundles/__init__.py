"""Bundles: one trained model as a folder with `bundle.json` and `weights.safetensors`, addressed by hash."""

from ml.bundles.errors import BundleCorrupt, BundleMissing
from ml.bundles.meta import BundleMeta, read_meta, shipped_bundles
from ml.bundles.store import Bundle, load_bundle, save_bundle

__all__ = [
    "Bundle",
    "BundleCorrupt",
    "BundleMeta",
    "BundleMissing",
    "load_bundle",
    "read_meta",
    "save_bundle",
    "shipped_bundles",
]
