"""A checkpoint by name: where it is, whether it holds what alignment needs, and which one it is. Needs no torch."""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ml.alignment.ctc.errors import (
    CheckpointChanged,
    CheckpointMissing,
    CheckpointNotCtc,
    CheckpointPickled,
    CheckpointUnreadable,
)

#: `owner/name` as the Hub allows it, perhaps with the revision to take.
_HUB_ID = re.compile(r"(?P<id>[\w-][\w.-]*/[\w-][\w.-]*)(?:@(?P<revision>[\w.-]+))?")
_FINGERPRINT = re.compile(r"#([0-9a-f]{16})$")
WEIGHTS = "model.safetensors"
_INDEX = "model.safetensors.index.json"
SAMPLE_RATE = 16_000


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A local folder (absolute, links followed), or a Hub id with an optional revision.

    Written `FOLDER`, `FOLDER#FINGERPRINT` or `OWNER/NAME@REVISION`. The fingerprint pins the content of a folder.
    """

    source: str
    local: bool
    revision: str | None = None
    fingerprint: str | None = None

    @classmethod
    def parse(cls, written: str) -> "Checkpoint":
        """Read a name; a folder of that name goes before a Hub id. Raises `CheckpointMissing`."""
        pin = _FINGERPRINT.search(written)
        place = written[: pin.start()] if pin else written
        folder = Path(place).expanduser()
        if place and folder.is_dir():
            return cls(str(folder.resolve()), True, fingerprint=pin and pin.group(1))
        if (hub := _HUB_ID.fullmatch(place)) and not pin and not place.startswith("."):
            return cls(hub["id"], False, revision=hub["revision"])
        raise CheckpointMissing(f"there is no folder {place!r} with a checkpoint, and it is not a Hub id either")

    def __str__(self) -> str:
        suffix = f"@{self.revision}" if self.revision else f"#{self.fingerprint}" if self.fingerprint else ""
        return self.source + suffix

    def pinned(self) -> "Checkpoint":
        """The same with its fingerprint, where it is a folder; a Hub id is pinned by naming a revision."""
        return replace(self, fingerprint=fingerprint(Path(self.source))) if self.local else self

    def folder(self) -> Path:
        """The folder with the files, fetched from the Hub (or its cache) where need be.

        Raises `CheckpointMissing`, or `CheckpointChanged` when it is not what the fingerprint pins.
        """
        if not self.local:
            return _fetched(self.source, self.revision)
        folder = Path(self.source)
        if self.fingerprint is not None and fingerprint(folder) != self.fingerprint:
            raise CheckpointChanged(f"the checkpoint in {self.source} changed after the job was made")
        return folder


def fingerprint(folder: Path) -> str:
    """First 16 hex digits of the SHA-256 over the names and contents of the files that decide the alignment."""
    total = hashlib.sha256()
    try:
        for path in sorted(_files(folder)):
            with path.open("rb") as file:
                total.update(f"{path.name} {hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    except OSError as exc:
        raise CheckpointMissing(f"the checkpoint in {folder} cannot be read ({type(exc).__name__})") from exc
    return total.hexdigest()[:16]


def _files(folder: Path) -> Iterator[Path]:
    names = {"config.json", "preprocessor_config.json", "processor_config.json", "vocab.json"}
    names |= {"tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", _INDEX}
    for path in folder.iterdir():
        if path.name in names or path.match("model*.safetensors"):
            yield path


def check(folder: Path) -> dict[str, Any]:
    """The configuration of a checkpoint that has all that alignment needs but for its vocabulary.

    Raises `CheckpointMissing`, `CheckpointPickled`, `CheckpointNotCtc` or `CheckpointUnreadable`. Only the header of
    the weights is read.
    """
    config = read_json(folder, "config.json")
    if config is None:
        raise CheckpointMissing(f"{folder} has no config.json, so it is not a checkpoint")
    if "auto_map" in config:
        raise CheckpointNotCtc(f"the checkpoint in {folder} needs code of its own, which is never run")
    if config.get("model_type") != "wav2vec2":
        raise CheckpointNotCtc(f"the checkpoint in {folder} is of the type {config.get('model_type')!r}, not wav2vec2")
    if not {"lm_head.weight", "lm_head.bias"} <= _tensor_names(folder):
        raise CheckpointNotCtc(f"the checkpoint in {folder} has no CTC head (lm_head): it hears but does not write")
    rate = preprocessing(folder).get("sampling_rate", SAMPLE_RATE)
    if rate != SAMPLE_RATE:
        raise CheckpointNotCtc(f"the checkpoint in {folder} is made for {rate} Hz, but audio is analysed at 16000 Hz")
    return config


def preprocessing(folder: Path) -> dict[str, Any]:
    """What the checkpoint's feature extractor says, from either of the files that it may stand in; {} without one."""
    if (alone := read_json(folder, "preprocessor_config.json")) is not None:
        return alone
    nested = (read_json(folder, "processor_config.json") or {}).get("feature_extractor")
    return nested if isinstance(nested, dict) else {}


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


def _tensor_names(folder: Path) -> set[str]:
    if index := read_json(folder, _INDEX):
        return set(index.get("weight_map", {}))
    if not (folder / WEIGHTS).is_file():
        if any(folder.glob("*.bin")) or any(folder.glob("*.pt")):
            raise CheckpointPickled(f"the weights in {folder} are pickled, and pickle is never read")
        raise CheckpointMissing(f"{folder} has no {WEIGHTS}")
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(folder / WEIGHTS, framework="numpy") as weights:
            return set(weights.keys())
    except (OSError, SafetensorError) as exc:
        raise CheckpointUnreadable(f"{WEIGHTS} in {folder} cannot be read") from exc


def _fetched(hub_id: str, revision: str | None) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(hub_id, revision=revision, allow_patterns=["*.json", "model*.safetensors"]))
    except (OSError, ValueError) as exc:
        raise CheckpointMissing(
            f"the Hub's checkpoint {hub_id} is not on this machine and cannot be fetched ({type(exc).__name__})",
            hint="Check the id, or fetch it on a machine with a network and name the folder: ctc:/path/to/folder.",
        ) from exc
