"""A profile as written, and the immutable specification that a profile version is."""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from typing import Any

from ml.profiles.errors import ProfileInvalid
from ml.profiles.sides import Licence, Side, SideName
from ml.transcription.checkpoint import pin

#: Raise it when the same specification gives other values: it makes every profile a new version.
SPEC_VERSION = 2


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
    """Two models, fusion weights, labels, and perhaps a transcriber."""

    name: str
    #: The label set: what both sides are restricted to before they are fused.
    labels: tuple[str, ...]
    speech: Side
    text: Side | None
    w_speech: float
    w_text: float
    transcription: Transcription | None = None
    #: What it takes before it can be used, as a sentence; None: nothing.
    needs: str | None = None

    def _sides(self) -> dict[SideName, Side]:
        sides: dict[SideName, Side | None] = {"speech": self.speech, "text": self.text}
        return {name: side for name, side in sides.items() if side is not None}

    def resolve(self) -> dict[str, Any]:
        """The JSON-able specification, from which alone an `Engine` is built; it names every file by its hash.

        Raises `ProfileInvalid`, `NotTrained`, `BundleMissing`, `BundleCorrupt`, `LabelMapInvalid`, or an error of
        `ml.checkpoints.errors`.
        """
        spec: dict[str, Any] = {
            "spec_version": SPEC_VERSION,
            "labels": list(self.labels),
            "fusion": {"kind": "score", "w_speech": self.w_speech, "w_text": self.w_text},
        }
        if self.transcription is not None:
            spec["transcription"] = asdict(self.transcription.pinned())
        known: set[str] = set()
        for name, side in self._sides().items():
            spec[name] = side.resolve(name)
            own = set(spec[name]["labels"])
            if not own & set(self.labels):
                raise ProfileInvalid(
                    f"profile {self.name} keeps none of the labels that {spec[name]['name']} tells apart"
                )
            known |= own
        if unknown := [label for label in self.labels if label not in known]:
            raise ProfileInvalid(f"no model of profile {self.name} knows the labels {', '.join(unknown)}")
        return spec

    def fingerprint(self) -> str:
        """Hash of the specification: equal profiles are the same version."""
        return hashlib.sha256(json.dumps(self.resolve(), sort_keys=True).encode()).hexdigest()

    def remote(self) -> list[str]:
        """Hub ids that `resolve` would fetch."""
        return [hub_id for side in self._sides().values() if (hub_id := side.remote())]

    def licences(self) -> list[Licence]:
        """One entry per model, for printing on first use."""
        return [side.licence() for side in self._sides().values()]


def check_version(spec: dict[str, Any]) -> None:
    """Raise `ProfileInvalid` for a specification that another release of Tenor wrote in another form."""
    if spec.get("spec_version") != SPEC_VERSION:
        raise ProfileInvalid(
            f"this profile version was made in form {spec.get('spec_version')}, this release reads form {SPEC_VERSION}",
            hint="Enqueue again: it makes a new version of the profile.",
        )
