"""What a checkpoint's folder holds: its configuration, and the names of its tensors. Only safetensors count."""

import json
from pathlib import Path
from typing import Any

from ml.checkpoints.errors import (
    CheckpointMissing,
    CheckpointPickled,
    CheckpointUnreadable,
    CheckpointUnsupported,
)

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"


def configuration(folder: Path) -> dict[str, Any]:
    """Its config.json. Raises `CheckpointMissing`, `CheckpointUnreadable`, or `CheckpointUnsupported` for own code."""
    config = read_json(folder, "config.json")
    if config is None:
        raise CheckpointMissing(f"{folder} has no config.json, so it is not a checkpoint")
    if "auto_map" in config:
        raise CheckpointUnsupported(f"the checkpoint in {folder} needs code of its own, which is never run")
    return config


def read_json(folder: Path, name: str) -> dict[str, Any] | None:
    """A file of the checkpoint that holds one JSON object; None when it is not there."""
    try:
        content = json.loads((folder / name).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as exc:
        raise CheckpointUnreadable(f"{name} of the checkpoint in {folder} cannot be read") from exc
    if not isinstance(content, dict):
        raise CheckpointUnreadable(f"{name} of the checkpoint in {folder} is not a JSON object")
    return content


def require_weights(folder: Path) -> None:
    """Raise `CheckpointMissing` where there are no weights, or `CheckpointPickled`; does not look into them."""
    if any((folder / name).is_file() for name in (WEIGHTS, INDEX)):
        return
    if any(folder.glob("*.bin")) or any(folder.glob("*.pt")):
        raise CheckpointPickled(f"the weights in {folder} are pickled, and pickle is never read")
    raise CheckpointMissing(f"{folder} has no {WEIGHTS}")


def tensor_names(folder: Path) -> set[str]:
    """The names of its tensors, from the header or the index of the weights.

    Raises `CheckpointMissing`, `CheckpointPickled` or `CheckpointUnreadable`.
    """
    require_weights(folder)
    if index := read_json(folder, INDEX):
        return set(index.get("weight_map", {}))
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(folder / WEIGHTS, framework="numpy") as weights:
            return set(weights.keys())
    except (OSError, SafetensorError) as exc:
        raise CheckpointUnreadable(f"{WEIGHTS} in {folder} cannot be read") from exc
