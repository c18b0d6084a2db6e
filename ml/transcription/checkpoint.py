"""A recognition checkpoint by name: where it is, of which kind, and which one exactly. Needs no torch."""

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from ml.alignment.ctc import errors as ctc
from ml.alignment.ctc.checkpoint import Checkpoint, check, read_json
from ml.alignment.ctc.vocabulary import read_vocabulary
from ml.errors import ModelError
from ml.transcription.errors import (
    TranscriberChanged,
    TranscriberMissing,
    TranscriberPickled,
    TranscriberUnreadable,
    TranscriberUnsupported,
)

Kind = Literal["whisper", "ctc"]

_ARCHITECTURES: dict[str, tuple[Kind, str]] = {
    "whisper": ("whisper", "WhisperForConditionalGeneration"),
    "wav2vec2": ("ctc", "Wav2Vec2ForCTC"),
}
#: The same troubles, as an aligner's checkpoint has them.
_SAME: dict[type[ModelError], type[ModelError]] = {
    ctc.CheckpointMissing: TranscriberMissing,
    ctc.CheckpointPickled: TranscriberPickled,
    ctc.CheckpointUnreadable: TranscriberUnreadable,
    ctc.CheckpointChanged: TranscriberChanged,
    ctc.CheckpointNotCtc: TranscriberUnsupported,
    ctc.CheckpointWithoutVocabulary: TranscriberUnreadable,
}


def pin(written: str) -> str:
    """The name that says all that decides what is recognised: with the content of a checkpoint's folder.

    A Hub id stays as it is; `owner/name@revision` pins one. Raises the errors of `ml.transcription.errors`.
    """
    with _named():
        checkpoint = Checkpoint.parse(written)
        if not checkpoint.local:
            return str(checkpoint)
        folder = Path(checkpoint.source)
        kind_of(folder)
        try:
            state = tuple(sorted((p.name, p.stat().st_size, p.stat().st_mtime_ns) for p in folder.iterdir()))
        except OSError as exc:
            raise TranscriberMissing(f"{folder} cannot be read ({type(exc).__name__})") from exc
        return _pinned(checkpoint, state)


@functools.lru_cache(maxsize=8)
def _pinned(checkpoint: Checkpoint, state: tuple[tuple[str, int, int], ...]) -> str:
    """Cached by what a folder looks like: reading gigabytes of weights takes seconds."""
    return str(checkpoint.pinned())


def locate(written: str) -> tuple[Path, Kind]:
    """The folder of a checkpoint, fetched from the Hub or its cache where need be, and its kind.

    Raises the errors of `ml.transcription.errors`.
    """
    with _named():
        folder = Checkpoint.parse(written).folder()
        return folder, kind_of(folder)


def kind_of(folder: Path) -> Kind:
    """What a folder holds, by its config.json; raises `TranscriberUnsupported` and others, and loads no weights."""
    with _named():
        config = read_json(folder, "config.json")
        if config is None:
            raise TranscriberMissing(f"{folder} has no config.json, so it is not a checkpoint")
        if "auto_map" in config:
            raise TranscriberUnsupported(f"the checkpoint in {folder} needs code of its own, which is never run")
        kind, architecture = _ARCHITECTURES.get(str(config.get("model_type")), (None, ""))
        if kind is None or architecture not in (config.get("architectures") or [architecture]):
            raise TranscriberUnsupported(f"the checkpoint in {folder} recognises no speech ({_says(config)})")
        if kind == "ctc":
            if read_vocabulary(folder, check(folder)).phonetic:
                raise TranscriberUnsupported(f"the checkpoint in {folder} writes phones, not words")
        elif not any((folder / name).is_file() for name in ("model.safetensors", "model.safetensors.index.json")):
            if any(folder.glob("*.bin")) or any(folder.glob("*.pt")):
                raise TranscriberPickled(f"the weights in {folder} are pickled, and pickle is never read")
            raise TranscriberMissing(f"{folder} has no model.safetensors")
        return kind


def _says(config: dict[str, object]) -> str:
    listed = config.get("architectures")
    return str(listed[0]) if isinstance(listed, list) and listed else f"model type {config.get('model_type')}"


@contextmanager
def _named() -> Iterator[None]:
    try:
        yield
    except ModelError as exc:
        if type(exc) not in _SAME:
            raise
        raise _SAME[type(exc)](str(exc)) from exc
