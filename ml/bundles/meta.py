"""What `bundle.json` says about a model. Reading it needs no torch, so profiles and the command line can."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import fsspec

from ml.bundles.errors import BundleCorrupt, BundleMissing

SHIPPED = Path(__file__).parent / "shipped"
META, WEIGHTS = "bundle.json", "weights.safetensors"


@dataclass(frozen=True, slots=True)
class BundleMeta:
    """One model: what it is, what it was trained on, and what it may be used for."""

    name: str
    #: Which loader understands `config`: "makiuchi-speech" or "makiuchi-text".
    kind: str
    config: dict[str, Any]
    labels: tuple[str, ...]
    #: Languages that the model may be applied to (ISO 639-1); empty: any (speech).
    languages: tuple[str, ...]
    licence: str
    #: One sentence that is shown on first use.
    notice: str
    training_data: tuple[str, ...]
    metrics: dict[str, Any] = field(default_factory=dict)
    temperature: float = 1.0
    #: SHA-256 of `weights.safetensors`.
    sha256: str = ""

    def to_json(self) -> str:
        """Canonical JSON: equal bundles give equal bytes."""
        return json.dumps(asdict(self), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def resolve_location(location: str) -> str:
    """The folder or fsspec URL that a location names; `shipped:NAME` is a folder of this package."""
    if location.startswith("shipped:"):
        return str(SHIPPED / location.removeprefix("shipped:"))
    return location.rstrip("/")


def read_meta(location: str) -> BundleMeta:
    """Read a bundle's description; raises `BundleMissing` or `BundleCorrupt`."""
    folder = resolve_location(location)
    try:
        with fsspec.open(f"{folder}/{META}", "r", encoding="utf-8") as file:
            fields = json.load(file)
    except FileNotFoundError as exc:
        raise BundleMissing(f"no bundle at {location}") from exc
    except (OSError, ValueError) as exc:
        raise BundleCorrupt(f"{META} of {location} cannot be read: {type(exc).__name__}") from exc
    try:
        for name in ("labels", "languages", "training_data"):
            fields[name] = tuple(fields[name])
        return BundleMeta(**fields)
    except (TypeError, KeyError) as exc:
        raise BundleCorrupt(f"{META} of {location} lacks or misnames a field") from exc
