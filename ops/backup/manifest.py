"""What a back-up says about itself: `manifest.json`, with the hash of every other file in it."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from ops.backup.errors import BackupUnusable

NAME, DATABASE, MODELS, SECRETS = "manifest.json", "database.dump", "models", "secrets"
#: Changes with what a back-up consists of.
FORMAT = 1
_PART = 1 << 20


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is in a back-up."""

    #: Version of Tenor that made it, and the revision of its schema.
    tenor: str
    schema: str
    #: When the database looked like this, in ISO 8601.
    made_at: str
    #: Rows of each table at that moment.
    rows: dict[str, int]
    #: (SHA-256, bytes) by path within the back-up.
    files: dict[str, tuple[str, int]]
    format: int = FORMAT

    @property
    def size_bytes(self) -> int:
        """Of all files."""
        return sum(size for _, size in self.files.values())

    def write(self, folder: Path) -> None:
        """As the file in a back-up's folder."""
        (folder / NAME).write_text(json.dumps(asdict(self), indent=1, sort_keys=True) + "\n", encoding="utf-8")


def read(folder: Path) -> Manifest:
    """The manifest of a back-up; raises `BackupUnusable`."""
    try:
        said = json.loads((folder / NAME).read_text(encoding="utf-8"))
        if said["format"] != FORMAT:
            raise BackupUnusable(f"{folder} was made by another version of Tenor ({said.get('tenor')})")
        files = {path: (str(sha256), int(size)) for path, (sha256, size) in said["files"].items()}
        return Manifest(
            tenor=said["tenor"], schema=said["schema"], made_at=said["made_at"], rows=dict(said["rows"]), files=files
        )
    except FileNotFoundError as exc:
        raise BackupUnusable(f"{folder} is no back-up: it has no {NAME}") from exc
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as exc:
        raise BackupUnusable(f"{NAME} of {folder} cannot be read ({type(exc).__name__})") from exc


def check(folder: Path, manifest: Manifest) -> None:
    """Raise `BackupUnusable` unless every file is there and holds what it did."""
    for path, (sha256, size) in manifest.files.items():
        if Path(path).is_absolute() or ".." in Path(path).parts:
            raise BackupUnusable(f"{NAME} names a file outside of the back-up")
        try:
            found = described(folder / path)
        except OSError as exc:
            raise BackupUnusable(f"{path} of the back-up cannot be read ({type(exc).__name__})") from exc
        if found != (sha256, size):
            raise BackupUnusable(f"{path} of the back-up is not what was written: it was changed or damaged")


def described(file: Path) -> tuple[str, int]:
    """(SHA-256, bytes) of a file."""
    digest, size = hashlib.sha256(), 0
    for part in _parts(file):
        digest.update(part)
        size += len(part)
    return digest.hexdigest(), size


def _parts(file: Path) -> Iterator[bytes]:
    with file.open("rb") as opened:
        while part := opened.read(_PART):
            yield part
