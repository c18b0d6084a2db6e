"""State of a training run in one safetensors file: tensors, and everything else as JSON in its header. No pickle."""

import json
import os
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ml.errors import ModelError

_HEADER = "state"


class CheckpointUnreadable(ModelError):
    """A checkpoint is damaged, or belongs to another model."""

    code = "checkpoint_unreadable"
    hint = "Delete the file to begin this fold again."


def write_checkpoint(path: Path, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
    """Write so that the file is the old one or the new one, whenever the process or the machine dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        save_file(
            {name: t.detach().cpu().contiguous() for name, t in tensors.items()}, partial, {_HEADER: json.dumps(state)}
        )
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def read_checkpoint(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and state; raises `CheckpointUnreadable`."""
    try:
        with safe_open(path, framework="pt") as file:
            state = json.loads((file.metadata() or {})[_HEADER])
            return {name: file.get_tensor(name) for name in file.keys()}, state  # noqa: SIM118 (no mapping)
    except (OSError, SafetensorError, KeyError, ValueError) as exc:
        raise CheckpointUnreadable(f"checkpoint {path.name} cannot be read") from exc


def write_json(path: Path, value: Any) -> None:
    """Write a JSON document whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_text(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
