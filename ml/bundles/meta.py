"""What `bundle.json` says about a model. Reading it needs no torch, so profiles and the command line can."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import fsspec

from ml.bundles.errors import BundleCorrupt, BundleMissing

SHIPPED = Path(__file__).parent / "shipped"
META, WEIGHTS, CARD = "bundle.json", "weights.safetensors", "MODEL_CARD.md"


@dataclass(frozen=True, slots=True)
class BundleMeta:
    """One model: what it is, what it was trained on, and what it may be used for."""

    name: str
    #: Which loader understands `config`: "makiuchi-speech", "voice-speech" or "makiuchi-text".
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

    @classmethod
    def from_json(cls, content: str) -> "BundleMeta":
        """The reverse of `to_json`; raises `ValueError` or `TypeError` that names the field."""
        fields = json.loads(content)
        for name in ("name", "kind", "licence", "notice", "sha256"):
            if not isinstance(fields.get(name), str):
                raise ValueError(f"{name} is not a string")
        for name in ("labels", "languages", "training_data"):
            if not isinstance(fields.get(name), list) or not all(isinstance(it, str) for it in fields[name]):
                raise ValueError(f"{name} is not a list of strings")
            fields[name] = tuple(fields[name])
        if not isinstance(fields.get("config"), dict):
            raise ValueError("config is not an object")
        if not isinstance(fields.get("temperature"), float) or fields["temperature"] <= 0:
            raise ValueError("temperature is not a positive number")
        return cls(**fields)


def shipped_bundles() -> list[str]:
    """Names of the bundles that come with Tenor."""
    return sorted(path.parent.name for path in SHIPPED.glob(f"*/{META}"))


def resolve_location(location: str) -> str:
    """The folder or fsspec URL that a location names; `shipped:NAME` is a folder of this package."""
    if location.startswith("shipped:"):
        name = location.removeprefix("shipped:")
        if not name or Path(name).name != name:
            raise BundleMissing(f"{location} does not name a bundled model; there are {', '.join(shipped_bundles())}")
        return str(SHIPPED / name)
    return location.rstrip("/")


def read_file(location: str, name: str) -> bytes:
    """One file of a bundle; raises `BundleMissing`, or `BundleCorrupt` when it is there but cannot be read."""
    url = f"{resolve_location(location)}/{name}"
    try:
        with fsspec.open(url, "rb") as file:
            content: bytes = file.read()
            return content
    except (FileNotFoundError, NotADirectoryError) as exc:
        hint = f"Bundled ones are {', '.join(shipped_bundles())}." if location.startswith("shipped:") else None
        raise BundleMissing(f"there is no {name} of a bundle at {location}", hint=hint) from exc
    except (ImportError, ValueError) as exc:
        raise BundleMissing(f"bundle location {location} cannot be opened: {exc}") from exc
    except OSError as exc:
        raise BundleCorrupt(f"{name} of the bundle at {location} cannot be read ({type(exc).__name__})") from exc


def read_meta(location: str) -> BundleMeta:
    """Read a bundle's description; raises `BundleMissing` or `BundleCorrupt`."""
    content = read_file(location, META)
    try:
        return BundleMeta.from_json(content.decode("utf-8"))
    except (ValueError, TypeError, AttributeError) as exc:
        raise BundleCorrupt(f"{META} of the bundle at {location} is not a bundle's description: {exc}") from exc
