"""A checkpoint by name: where it is, and which one exactly."""

import functools
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ml.checkpoints.content import INDEX
from ml.checkpoints.errors import CheckpointChanged, CheckpointMissing

#: `owner/name` as the Hub allows it, perhaps with the revision to take.
_HUB_ID = re.compile(r"(?P<id>[\w-][\w.-]*/[\w-][\w.-]*)(?:@(?P<revision>[\w./-]+))?")
_FINGERPRINT = re.compile(r"#([0-9a-f]{16})$")
_COMMIT = re.compile(r"[0-9a-f]{40}")


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
        """The same with its fingerprint, where it is a folder; a Hub id is pinned by naming a revision.

        Raises `CheckpointMissing`.
        """
        if not self.local:
            return self
        try:
            files = Path(self.source).iterdir()
            state = tuple(sorted((p.name, (at := p.stat()).st_size, at.st_mtime_ns) for p in files))
        except OSError as exc:
            raise CheckpointMissing(f"{self.source} cannot be read ({type(exc).__name__})") from exc
        return replace(self, fingerprint=_remembered(self.source, state))

    def committed(self) -> "Checkpoint":
        """As `pinned`, and a Hub id with the commit that its revision, or the Hub's main one, stands for now.

        Fetches the files where need be; raises `CheckpointMissing`.
        """
        if self.local or _COMMIT.fullmatch(self.revision or ""):
            return self.pinned()
        commit = self.folder().name
        return replace(self, revision=commit) if _COMMIT.fullmatch(commit) else self

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
    """First 16 hex digits of the SHA-256 over the names and contents of the files that decide what it makes."""
    total = hashlib.sha256()
    try:
        for path in sorted(_files(folder)):
            with path.open("rb") as file:
                total.update(f"{path.name} {hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    except OSError as exc:
        raise CheckpointMissing(f"the checkpoint in {folder} cannot be read ({type(exc).__name__})") from exc
    return total.hexdigest()[:16]


@functools.lru_cache(maxsize=8)
def _remembered(folder: str, state: tuple[tuple[str, int, int], ...]) -> str:
    """By what the folder looks like (name, size, time of each file): reading gigabytes of weights takes seconds."""
    return fingerprint(Path(folder))


def _files(folder: Path) -> Iterator[Path]:
    names = {"config.json", "preprocessor_config.json", "processor_config.json", "vocab.json"}
    names |= {"tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", INDEX}
    # What a recogniser's checkpoint has besides.
    names |= {"generation_config.json", "tokenizer.json", "merges.txt", "normalizer.json"}
    # What tokenizers of texts have besides.
    names |= {"vocab.txt", "spiece.model", "sentencepiece.bpe.model"}
    for path in folder.iterdir():
        if path.name in names or path.match("model*.safetensors"):
            yield path


def _fetched(hub_id: str, revision: str | None) -> Path:
    from huggingface_hub import snapshot_download

    try:
        wanted = ["*.json", "*.txt", "model*.safetensors", "*.model"]
        return Path(snapshot_download(hub_id, revision=revision, allow_patterns=wanted))
    except (OSError, ValueError) as exc:
        raise CheckpointMissing(
            f"the Hub's checkpoint {hub_id} is not on this machine and cannot be fetched ({type(exc).__name__})",
            hint="Check the id, or fetch it on a machine with a network and name the folder instead.",
        ) from exc
