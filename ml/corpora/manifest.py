"""What a training run uses, frozen: one Parquet file, the only thing that a trainer reads.

The file holds every `LabelledUtterance` in order, with the hash of its audio. Audio is not in it: paths are relative to
a root, which the file remembers and a reader may name anew, so that a manifest goes with its audio to another machine.
The fingerprint is over the labels and the content of the audio, not over paths: the same data elsewhere is the same
data set.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ml.corpora.registry import IMPORTERS
from ml.corpora.types import SPEAKER, LabelledUtterance
from ml.emotions import EMOTIONS
from ml.errors import TenorError

#: Raised when columns change meaning; older files are then refused.
FORMAT = 1
_REAL = pa.float64()
_TYPES = dict.fromkeys(("start_s", "end_s", "arousal", "valence"), _REAL) | {
    "distribution": pa.list_(_REAL, len(EMOTIONS))
}
_COLUMNS = tuple(f.name for f in fields(LabelledUtterance))
_SCHEMA = pa.schema(
    [pa.field(name, _TYPES.get(name, pa.string())) for name in _COLUMNS] + [pa.field("audio_sha256", pa.string())]
)
#: Say nothing: files from before there were these columns have the same fingerprint.
_USUAL: dict[str, str | None] = {"role": SPEAKER, "band": None, "channel": None}


class ManifestBroken(TenorError):
    """A manifest cannot be read, or is not what was frozen."""

    code = "manifest_broken"
    hint = "Freeze the data set again."


class AudioChanged(TenorError):
    """A recording is not what it was when the manifest was frozen."""

    code = "audio_changed"
    hint = "Put the file back, name the right root, or freeze the data set again; its fingerprint will be another."


@dataclass(frozen=True, slots=True)
class Manifest:
    """A frozen data set. `audio_sha256` says for each item which audio content it is from, None where there is none."""

    path: Path
    #: Hash over labels and audio; identifies the data set wherever it lies.
    fingerprint: str
    #: What audio paths were relative to, None without audio.
    root: Path | None
    items: tuple[LabelledUtterance, ...]
    audio_sha256: tuple[str | None, ...]
    #: Licence by corpus, of those that the registry knows.
    licences: dict[str, str]


def freeze(items: Iterable[LabelledUtterance], path: Path, *, root: Path | None = None) -> Manifest:
    """Write the manifest of some items, atomically, and return it as it will be read.

    `root` defaults to the deepest folder that holds all audio. Raises `ManifestBroken` for an item that stands twice,
    nothing at all, or audio outside of the root, and `AudioChanged` for audio that is not there.
    """
    frozen = tuple(items)
    if not frozen:
        raise ManifestBroken("there is nothing to freeze", hint="Choose a corpus and classes that it has.")
    _refuse_doubles(frozen)
    audio = sorted({item.audio_path.absolute() for item in frozen if item.audio_path is not None})
    base = (_common(audio) if root is None else root.absolute()) if audio else None
    hashes = {file: _hash(file) for file in audio}
    sums = tuple(None if item.audio_path is None else hashes[item.audio_path.absolute()] for item in frozen)
    rows = [_row(item, base, sha256) for item, sha256 in zip(frozen, sums, strict=True)]
    licences = {name: IMPORTERS[name].licence for name in sorted({item.corpus for item in frozen} & set(IMPORTERS))}
    fingerprint = _fingerprint(rows)
    about = {"format": FORMAT, "fingerprint": fingerprint, "root": base and str(base), "licences": licences}
    table = pa.Table.from_pylist(rows, schema=_SCHEMA.with_metadata({"tenor": json.dumps(about)}))
    path.parent.mkdir(parents=True, exist_ok=True)
    _replace(table, path)
    return Manifest(path, fingerprint, base, frozen, sums, licences)


def read_manifest(path: Path, *, root: Path | None = None, check_audio: bool = True) -> Manifest:
    """The manifest in a file; `root` is where its audio lies now, by default where it lay.

    Raises `ManifestBroken`, or `AudioChanged` when an audio file is not there or not the same. `check_audio` False
    skips reading all audio, for a run that has checked before.
    """
    try:
        table, about = _table(path)
        rows, form = table.to_pylist(), about["format"]
    except KeyError as exc:
        raise ManifestBroken(f"{path} cannot be read as a manifest ({type(exc).__name__})") from exc
    if form != FORMAT or set(table.schema.names) | _USUAL.keys() != set(_SCHEMA.names):
        raise ManifestBroken(f"{path} is of format {form}, this version of Tenor reads {FORMAT}")
    if _fingerprint(rows) != about["fingerprint"]:
        raise ManifestBroken(f"{path} was changed after it was frozen")
    base = root.absolute() if root is not None else about["root"] and Path(about["root"])
    sums = tuple(row.pop("audio_sha256") for row in rows)
    items = tuple(_item(row, base) for row in rows)
    if check_audio:
        _check(items, sums)
    return Manifest(path, about["fingerprint"], base, items, sums, about["licences"])


@dataclass(frozen=True, slots=True)
class Frozen:
    """What a manifest says of itself."""

    fingerprint: str
    rows: int
    #: Rows that were erased since it was frozen, in all.
    erased: int


#: Whether a row goes: its columns by name (`audio_path` as it is stored), and the hash of its audio.
Gone = Callable[[Mapping[str, Any], str | None], bool]


def count(path: Path, gone: Gone) -> int:
    """Rows of a manifest that `without` would erase; raises `ManifestBroken`."""
    return sum(gone(row, row["audio_sha256"]) for row in _table(path)[0].to_pylist())


def without(path: Path, gone: Gone) -> Frozen:
    """Erase rows of a manifest for good; its fingerprint becomes that of what is left. Raises `ManifestBroken`.

    The file takes the old one's place whole, also with no row at all, and says how many were erased.
    """
    table, about = _table(path)
    rows = table.to_pylist()
    kept = [not gone(row, row["audio_sha256"]) for row in rows]
    about["erased"] = about.get("erased", 0) + kept.count(False)
    if not all(kept):
        about["fingerprint"] = _fingerprint(row for row, stays in zip(rows, kept, strict=True) if stays)
        left = table.filter(pa.array(kept, pa.bool_()))
        _replace(left.replace_schema_metadata({"tenor": json.dumps(about)}), path)
    return Frozen(about["fingerprint"], sum(kept), about["erased"])


def _table(path: Path) -> tuple[pa.Table, dict[str, Any]]:
    try:
        table = pq.read_table(path)
        return table, json.loads((table.schema.metadata or {})[b"tenor"])
    except (OSError, pa.ArrowException, KeyError, ValueError) as exc:
        raise ManifestBroken(f"{path} cannot be read as a manifest ({type(exc).__name__})") from exc


def _replace(table: pa.Table, path: Path) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    pq.write_table(table, draft, compression="zstd")
    os.replace(draft, path)


def _refuse_doubles(items: Sequence[LabelledUtterance]) -> None:
    seen: set[tuple[str, str]] = set()
    for item in items:
        key = (item.corpus, item.item_id)
        if key in seen:
            raise ManifestBroken(f"{item.corpus} {item.item_id} stands twice", hint="Import every corpus once.")
        seen.add(key)


def _common(audio: Sequence[Path]) -> Path:
    return Path(os.path.commonpath([file.parent for file in audio]))


def _row(item: LabelledUtterance, base: Path | None, sha256: str | None) -> dict[str, Any]:
    row = asdict(item) | {"audio_sha256": sha256}
    if item.audio_path is not None and base is not None:
        try:
            row["audio_path"] = item.audio_path.absolute().relative_to(base).as_posix()
        except ValueError:
            raise ManifestBroken(
                f"{item.audio_path} is not below {base}", hint="Name a root above all audio."
            ) from None
    if item.distribution is not None:
        row["distribution"] = list(item.distribution)
    return row


def _item(row: dict[str, Any], base: Path | None) -> LabelledUtterance:
    if row["audio_path"] is not None and base is not None:
        row["audio_path"] = base / row["audio_path"]
    if row["distribution"] is not None:
        row["distribution"] = tuple(row["distribution"])
    return LabelledUtterance(**row)


def _fingerprint(rows: Iterable[dict[str, Any]]) -> str:
    """SHA-256 over rows without their paths, in order, whatever the order of their columns."""
    digest = hashlib.sha256(f"tenor manifest {FORMAT}".encode())
    for row in rows:
        said = {
            name: value
            for name, value in row.items()
            if name != "audio_path" and not (name in _USUAL and value == _USUAL[name])
        }
        digest.update(json.dumps(said, sort_keys=True, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n")
    return digest.hexdigest()


def _check(items: Sequence[LabelledUtterance], sums: Sequence[str | None]) -> None:
    known: dict[Path, str] = {}
    for item, wanted in zip(items, sums, strict=True):
        if item.audio_path is None:
            continue
        if item.audio_path not in known:
            known[item.audio_path] = _hash(item.audio_path)
        if known[item.audio_path] != wanted:
            raise AudioChanged(f"{item.audio_path} is not what it was when the manifest was frozen")


def _hash(path: Path) -> str:
    try:
        with path.open("rb") as audio:
            return hashlib.file_digest(audio, "sha256").hexdigest()
    except OSError as exc:
        raise AudioChanged(f"{path} cannot be read ({exc.strerror or type(exc).__name__})") from exc
