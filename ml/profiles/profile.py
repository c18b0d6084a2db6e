"""Reading a profile and freezing it into the immutable specification that a profile version is."""

import hashlib
import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ml.bundles import BundleMeta, read_meta
from ml.emotions import EMOTIONS
from ml.errors import ModelError

FOLDER = Path(__file__).parent
#: Raise it when the same specification gives other values: it makes every profile a new version.
SPEC_VERSION = 1


class ProfileInvalid(ModelError):
    """There is no such profile, or its file holds something unusable."""

    code = "profile_invalid"
    hint = "Name a bundled profile or a path to a TOML file like those in ml/profiles."


@dataclass(frozen=True, slots=True)
class Licence:
    """What a user of a model has to know before relying on it."""

    bundle: str
    licence: str
    notice: str


@dataclass(frozen=True, slots=True)
class Profile:
    """A profile as written: bundles by location, fusion weights, labels."""

    name: str
    labels: tuple[str, ...]
    speech: str
    text: str | None
    w_speech: float
    w_text: float

    def _bundles(self) -> dict[str, tuple[str, BundleMeta]]:
        found = {"speech": (self.speech, read_meta(self.speech))}
        if self.text is not None:
            found["text"] = (self.text, read_meta(self.text))
        return found

    def resolve(self) -> dict[str, Any]:
        """The JSON-able specification with every hash; raises `BundleMissing` or `BundleCorrupt`."""
        spec: dict[str, Any] = {
            "spec_version": SPEC_VERSION,
            "labels": list(self.labels),
            "fusion": {"kind": "score", "w_speech": self.w_speech, "w_text": self.w_text},
        }
        for side, (location, meta) in self._bundles().items():
            spec[side] = {
                "location": location,
                "name": meta.name,
                "kind": meta.kind,
                "sha256": meta.sha256,
                "temperature": meta.temperature,
                "languages": list(meta.languages),
                "labels": list(meta.labels),
                "licence": meta.licence,
            }
        return spec

    def fingerprint(self) -> str:
        """Hash of the specification: equal profiles are the same version."""
        return hashlib.sha256(json.dumps(self.resolve(), sort_keys=True).encode()).hexdigest()

    def licences(self) -> list[Licence]:
        """One entry per bundle, for printing on first use."""
        return [Licence(meta.name, meta.licence, meta.notice) for _, meta in self._bundles().values()]


def shipped_profiles() -> list[str]:
    """Names of the profiles that come with Tenor."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load_profile(name: str) -> Profile:
    """Read a bundled profile by name, or a TOML file by path; raises `ProfileInvalid`."""
    path = Path(name) if name.endswith(".toml") else FOLDER / f"{name}.toml"
    if not path.is_file():
        raise ProfileInvalid(f"there is no profile {name}; bundled are {', '.join(shipped_profiles())}")
    try:
        fields = tomllib.loads(path.read_text(encoding="utf-8"))
        fusion = fields.get("fusion", {})
        profile = Profile(
            name=fields.get("name", path.stem),
            labels=tuple(fields.get("labels", EMOTIONS)),
            speech=_absolute(fields["speech"]["bundle"], path),
            text=_absolute(fields["text"]["bundle"], path) if "text" in fields else None,
            w_speech=float(fusion.get("w_speech", 1.0)),
            w_text=float(fusion.get("w_text", 1.0)),
        )
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError, TypeError, ValueError) as exc:
        raise ProfileInvalid(f"profile {path.name} cannot be read: {exc}") from exc
    if unknown := set(profile.labels) - set(EMOTIONS):
        raise ProfileInvalid(f"profile {path.name} names unknown labels: {', '.join(sorted(unknown))}")
    if not profile.labels or profile.w_speech <= 0 or profile.w_text < 0:
        raise ProfileInvalid(f"profile {path.name} needs at least one label and positive fusion weights")
    return profile


def _absolute(location: str, profile: Path) -> str:
    """Folders in a profile are relative to its file."""
    if ":" in location or Path(location).is_absolute():
        return location
    return str((profile.parent / location).resolve())
