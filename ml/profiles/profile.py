"""Reading a profile and freezing it into the immutable specification that a profile version is."""

import hashlib
import json
import math
import re
import tomllib
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ml.bundles import BundleMeta, read_meta
from ml.emotions import EMOTIONS
from ml.errors import ModelError
from ml.transcription.checkpoint import pin

FOLDER = Path(__file__).parent
#: Raise it when the same specification gives other values: it makes every profile a new version.
SPEC_VERSION = 2
#: The kind of bundle that each side of a profile takes.
KINDS = {"speech": "makiuchi-speech", "text": "makiuchi-text"}


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
class Transcription:
    """What writes down recordings that have no transcript: a checkpoint (folder or Hub id), and their language."""

    checkpoint: str
    #: ISO 639-1; None: heard, or found from what is recognised.
    language: str | None = None

    def pinned(self) -> "Transcription":
        """With the content of a folder in its name; raises the errors of `ml.checkpoints.errors`."""
        return replace(self, checkpoint=pin(self.checkpoint))


@dataclass(frozen=True, slots=True)
class Profile:
    """A profile as written: bundles by location, fusion weights, labels, and perhaps a transcriber."""

    name: str
    #: The label set: what both sides are restricted to before they are fused.
    labels: tuple[str, ...]
    speech: str
    text: str | None
    w_speech: float
    w_text: float
    transcription: Transcription | None = None

    def _bundles(self) -> dict[str, tuple[str, BundleMeta]]:
        named = {"speech": self.speech} | ({} if self.text is None else {"text": self.text})
        found = {side: (location, read_meta(location)) for side, location in named.items()}
        for side, (location, meta) in found.items():
            if meta.kind != KINDS[side]:
                raise ProfileInvalid(f"profile {self.name} uses {location} for {side}, but that is a {meta.kind} model")
            if not set(meta.labels) & set(self.labels):
                raise ProfileInvalid(f"profile {self.name} keeps none of the labels that {location} tells apart")
        known = {label for _, meta in found.values() for label in meta.labels}
        if unknown := [label for label in self.labels if label not in known]:
            raise ProfileInvalid(f"no bundle of profile {self.name} knows the labels {', '.join(unknown)}")
        return found

    def resolve(self) -> dict[str, Any]:
        """The JSON-able specification, from which alone an `Engine` is built; it names every file by its hash.

        Raises `ProfileInvalid`, `BundleMissing`, `BundleCorrupt`, or an error of `ml.checkpoints.errors`.
        """
        spec: dict[str, Any] = {
            "spec_version": SPEC_VERSION,
            "labels": list(self.labels),
            "fusion": {"kind": "score", "w_speech": self.w_speech, "w_text": self.w_text},
        }
        if self.transcription is not None:
            spec["transcription"] = asdict(self.transcription.pinned())
        for side, (location, meta) in self._bundles().items():
            spec[side] = {
                "location": location,
                "name": meta.name,
                "kind": meta.kind,
                "sha256": meta.sha256,
                # Sizes, and for text the encoder's source and hash: bundle.json may change without the weights.
                "config": meta.config,
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


def check_version(spec: dict[str, Any]) -> None:
    """Raise `ProfileInvalid` for a specification that another release of Tenor wrote in another form."""
    if spec.get("spec_version") != SPEC_VERSION:
        raise ProfileInvalid(
            f"this profile version was made in form {spec.get('spec_version')}, this release reads form {SPEC_VERSION}",
            hint="Enqueue again: it makes a new version of the profile.",
        )


def shipped_profiles() -> list[str]:
    """Names of the profiles that come with Tenor."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load_profile(name: str) -> Profile:
    """Read a bundled profile by name, or a TOML file by path; raises `ProfileInvalid`."""
    path = Path(name).expanduser() if name.endswith(".toml") else FOLDER / f"{name}.toml"
    if not path.is_file() or (path.parent != FOLDER and not name.endswith(".toml")):
        raise ProfileInvalid(f"there is no profile {name}; bundled are {', '.join(shipped_profiles())}")
    try:
        fields = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise ProfileInvalid(f"profile {path.name} is not valid TOML: {exc}") from exc
    except OSError as exc:
        raise ProfileInvalid(f"profile {path.name} cannot be read ({type(exc).__name__})") from exc
    if unknown := fields.keys() - {"name", "labels", "speech", "text", "fusion", "transcription"}:
        raise ProfileInvalid(f"profile {path.name} has unknown entries: {', '.join(sorted(unknown))}")
    labels = fields.get("labels", list(EMOTIONS))
    if not isinstance(labels, list) or not labels or not set(map(str, labels)) <= set(EMOTIONS):
        raise ProfileInvalid(f"labels of profile {path.name} have to be some of {', '.join(EMOTIONS)}")
    speech = _location(fields, "speech", path)
    if speech is None:
        raise ProfileInvalid(f"profile {path.name} names no speech bundle; add [speech] with bundle = …")
    w_speech, w_text = _weight(fields, "w_speech", path), _weight(fields, "w_text", path)
    if w_speech + w_text == 0:
        raise ProfileInvalid(f"profile {path.name} gives both sides of the fusion the weight 0")
    return Profile(
        name=str(fields.get("name", path.stem)),
        # In canonical order whatever the file says, so that the same set is the same version.
        labels=tuple(label for label in EMOTIONS if label in labels),
        speech=speech,
        text=_location(fields, "text", path),
        w_speech=w_speech,
        w_text=w_text,
        transcription=_transcription(fields, path),
    )


def _transcription(fields: dict[str, Any], profile: Path) -> Transcription | None:
    """The transcriber; a folder beside the profile's file goes before a Hub id of that name."""
    table = fields.get("transcription")
    if table is None:
        return None
    checkpoint = table.get("checkpoint") if isinstance(table, dict) else None
    language = table.get("language") if isinstance(table, dict) else None
    if not isinstance(checkpoint, str) or not checkpoint or table.keys() - {"checkpoint", "language"}:
        raise ProfileInvalid(
            f"[transcription] of profile {profile.name} names a checkpoint and perhaps a language, nothing else"
        )
    if language is not None and not (isinstance(language, str) and re.fullmatch(r"[a-z]{2,3}", language)):
        raise ProfileInvalid(f'[transcription] language of profile {profile.name} has to be a code like "en"')
    folder = profile.parent / Path(checkpoint).expanduser()
    return Transcription(str(folder.resolve()) if folder.is_dir() else checkpoint, language)


def _location(fields: dict[str, Any], side: str, profile: Path) -> str | None:
    """A side's bundle; folders are relative to the profile's file."""
    if side not in fields:
        return None
    table = fields[side]
    location = table.get("bundle") if isinstance(table, dict) else None
    if not isinstance(location, str) or not location:
        raise ProfileInvalid(f"[{side}] of profile {profile.name} has to name a bundle, as in mini.toml")
    if ":" in location or Path(location).is_absolute():
        return location
    return str((profile.parent / location).resolve())


def _weight(fields: dict[str, Any], name: str, profile: Path) -> float:
    table = fields.get("fusion", {})
    weight = table.get(name, 1.0) if isinstance(table, dict) else None
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight < math.inf:
        raise ProfileInvalid(f"[fusion] {name} of profile {profile.name} has to be a number, 0 or more")
    return float(weight)
