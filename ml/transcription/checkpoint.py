"""A recognition checkpoint by name: where it is, of which kind, and which one exactly. Needs no torch."""

from pathlib import Path
from typing import Literal

from ml.alignment.ctc.checkpoint import check
from ml.alignment.ctc.vocabulary import read_vocabulary
from ml.checkpoints import Checkpoint, configuration, require_weights
from ml.checkpoints.errors import CheckpointUnsupported

Kind = Literal["whisper", "ctc"]

_ARCHITECTURES: dict[str, tuple[Kind, str]] = {
    "whisper": ("whisper", "WhisperForConditionalGeneration"),
    "wav2vec2": ("ctc", "Wav2Vec2ForCTC"),
}


def pin(written: str) -> str:
    """The name that says all that decides what is recognised: with the content of a checkpoint's folder.

    A Hub id stays as it is; `owner/name@revision` pins one. Raises the errors of `ml.checkpoints.errors`.
    """
    checkpoint = Checkpoint.parse(written)
    if checkpoint.local:
        kind_of(Path(checkpoint.source))
    return str(checkpoint.pinned())


def locate(written: str) -> tuple[Path, Kind]:
    """The folder of a checkpoint, fetched from the Hub or its cache where need be, and its kind.

    Raises the errors of `ml.checkpoints.errors`.
    """
    folder = Checkpoint.parse(written).folder()
    return folder, kind_of(folder)


def kind_of(folder: Path) -> Kind:
    """What a folder holds, by its config.json; raises `CheckpointUnsupported` and others, and loads no weights."""
    config = configuration(folder)
    kind, architecture = _ARCHITECTURES.get(str(config.get("model_type")), (None, ""))
    if kind is None or architecture not in (config.get("architectures") or [architecture]):
        raise CheckpointUnsupported(f"the checkpoint in {folder} recognises no speech ({_says(config)})")
    if kind == "whisper":
        require_weights(folder)
    elif read_vocabulary(folder, check(folder)).phonetic:
        raise CheckpointUnsupported(f"the checkpoint in {folder} writes phones, not words")
    return kind


def _says(config: dict[str, object]) -> str:
    listed = config.get("architectures")
    return str(listed[0]) if isinstance(listed, list) and listed else f"model type {config.get('model_type')}"
