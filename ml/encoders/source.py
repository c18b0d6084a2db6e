"""Where an encoder's checkpoint is, and which one it is."""

import hashlib
import importlib
from pathlib import Path

from ml.checkpoints import Checkpoint, require_weights
from ml.errors import ModelError


def encoder_folder(source: str) -> Path:
    """The folder of an encoder: `package:NAME` is one that an installed package carries, else a folder or a Hub id.

    A Hub id (`owner/name`, `owner/name@revision`) is fetched where need be; `untrained:FAMILY` is a text encoder of
    random weights (`ml.encoders.untrained`), for comparison. Raises `ModelError` or an error of
    `ml.checkpoints.errors`.
    """
    if source.startswith("untrained:"):
        # Not at the top: transformers takes seconds to import, and most sources need nothing of it.
        from ml.encoders.untrained import untrained_folder

        return untrained_folder(source.removeprefix("untrained:"))
    if not source.startswith("package:"):
        folder = Checkpoint.parse(source).folder()
        require_weights(folder)
        return folder
    name = source.removeprefix("package:")
    try:
        return Path(str(importlib.import_module(name).get_model_path()))
    except (ImportError, AttributeError) as exc:
        raise ModelError(
            f"the package {name}, which carries the text encoder, is not installed",
            hint="Run `make setup`; the package is installed without its dependencies.",
        ) from exc


def weights_sha256(source: str) -> str:
    """SHA-256 of an encoder's model.safetensors; of the digests of its parts, in order, where it has several."""
    folder = encoder_folder(source)
    digests = []
    try:
        for path in sorted(folder.glob("model*.safetensors")):
            with path.open("rb") as file:
                digests.append(hashlib.file_digest(file, "sha256").hexdigest())
    except OSError as exc:
        raise ModelError(f"the encoder {source} has no readable model.safetensors") from exc
    return digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()


def verified_folder(source: str, sha256: str | None) -> Path:
    """The folder of an encoder, whose weights are those that `sha256` names; raises `ModelError` when they are not."""
    if sha256 is not None and weights_sha256(source) != sha256:
        raise ModelError(
            f"the checkpoint {source} is not the one that was pinned",
            hint="Put that one back: packages have the version in pyproject.toml, Hub ids may name a commit after @.",
        )
    return encoder_folder(source)
