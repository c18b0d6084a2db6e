"""One side of a profile, speech or text: a bundle, or a published classifier. Reading either needs no torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from ml.bundles import BundleMissing, read_meta
from ml.checkpoints import Checkpoint, configuration, require_weights
from ml.checkpoints.errors import CheckpointUnsupported
from ml.encoders.source import weights_sha256
from ml.models.hub.labels import LabelMap, LabelMapInvalid
from ml.profiles.errors import NotTrained, ProfileInvalid

SideName = Literal["speech", "text"]
#: The kinds of bundle that each side takes.
KINDS = {"speech": ("makiuchi-speech", "voice-speech"), "text": ("makiuchi-text",)}
#: The ends of architectures' names that have a classifier on top, over sound or over text.
_CLASSIFIERS = ("ForSequenceClassification", "ForAudioClassification")


@dataclass(frozen=True, slots=True)
class Licence:
    """What a user of a model has to know before relying on it."""

    bundle: str
    licence: str
    notice: str


class Side(Protocol):
    """Where one of a profile's two models comes from."""

    def resolve(self, side: SideName) -> dict[str, Any]:
        """The JSON-able part of a specification, with every file by its hash; raises a `ModelError`.

        `name`, `kind`, `sha256`, `location`, `config`, `temperature`, `languages`, `labels`, `licence`.
        """

    def licence(self) -> Licence:
        """What is shown on first use."""

    def remote(self) -> str | None:
        """The Hub id that `resolve` would fetch; None: it lies on this machine."""


@dataclass(frozen=True, slots=True)
class BundleSide:
    """A bundle by location; `training` says how to make it where it is not there (None: it should be there)."""

    location: str
    training: str | None = None

    def resolve(self, side: SideName) -> dict[str, Any]:
        """See `Side.resolve`; raises `BundleMissing`, `BundleCorrupt`, `NotTrained` or `ProfileInvalid`."""
        meta = self._meta()
        if meta.kind not in KINDS[side]:
            raise ProfileInvalid(f"{self.location} is used for {side}, but it is a {meta.kind} model")
        return {
            "location": self.location,
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

    def licence(self) -> Licence:
        """See `Side.licence`."""
        meta = self._meta()
        return Licence(meta.name, meta.licence, meta.notice)

    def remote(self) -> str | None:
        """See `Side.remote`: bundles are read where they are."""
        return None

    def _meta(self) -> Any:
        try:
            return read_meta(self.location)
        except BundleMissing as exc:
            if self.training is None:
                raise
            raise NotTrained(f"there is no trained model at {self.location} yet", hint=self.training) from exc


@dataclass(frozen=True, slots=True)
class HubSide:
    """A published classifier by folder or Hub id, and which class each of its labels stands for."""

    checkpoint: str
    labels: Mapping[str, str]
    languages: tuple[str, ...] = ()
    temperature: float = 1.0
    #: As the model's card states it; profiles say it, because cards are not fetched.
    stated_licence: str = "see the model's card"

    def resolve(self, side: SideName) -> dict[str, Any]:
        """See `Side.resolve`; fetches the checkpoint where need be.

        Raises errors of `ml.checkpoints.errors`, or `LabelMapInvalid`.
        """
        checkpoint = Checkpoint.parse(self.checkpoint).committed()
        folder = checkpoint.folder()
        names = label_names(folder)
        try:
            labels = LabelMap(names, self.labels)
        except LabelMapInvalid as exc:
            raise LabelMapInvalid(f"[{side}] {self.checkpoint}: {exc}") from exc
        return {
            "location": str(checkpoint),
            "name": checkpoint.source if not checkpoint.local else Path(checkpoint.source).name,
            "kind": f"hub-{side}",
            "sha256": weights_sha256(str(folder)),
            "config": {"names": list(names), "map": dict(sorted(self.labels.items()))},
            "temperature": self.temperature,
            "languages": list(self.languages),
            "labels": list(labels.labels),
            "licence": self.stated_licence,
        }

    def licence(self) -> Licence:
        """See `Side.licence`."""
        return Licence(self.checkpoint, self.stated_licence, "published by others; Tenor has not measured it")

    def remote(self) -> str | None:
        """See `Side.remote`; raises `CheckpointMissing` for what is neither a folder nor a Hub id."""
        checkpoint = Checkpoint.parse(self.checkpoint)
        return None if checkpoint.local else checkpoint.source


def label_names(folder: Path) -> tuple[str, ...]:
    """A classifier's labels in the order of its outputs; raises errors of `ml.checkpoints.errors`."""
    config = configuration(folder)
    require_weights(folder)
    hint = "Name a checkpoint that was fine-tuned for classification, of sound for [speech] or of text for [text]."
    architecture = str((config.get("architectures") or ["no architecture"])[0])
    if not architecture.endswith(_CLASSIFIERS):
        raise CheckpointUnsupported(f"the checkpoint in {folder} is no classifier ({architecture})", hint=hint)
    numbered = config.get("id2label")
    if not isinstance(numbered, dict) or len(numbered) < 2:
        raise CheckpointUnsupported(f"the checkpoint in {folder} does not name its labels", hint=hint)
    try:
        names = tuple(str(numbered[str(number)]) for number in range(len(numbered)))
    except KeyError as exc:
        raise CheckpointUnsupported(f"the labels of the checkpoint in {folder} are not numbered", hint=hint) from exc
    if len(set(names)) < len(names):
        raise CheckpointUnsupported(f"the checkpoint in {folder} has two labels of one name", hint=hint)
    return names
