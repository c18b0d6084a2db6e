"""Objects that one stage writes for the next: safetensors under an fsspec URL, whole or absent, hash-checked."""

import errno
import hashlib
import logging
import os
from typing import Any

import fsspec
import numpy as np
from fsspec.implementations.local import LocalFileSystem
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from workers.archives.objects import client
from workers.archives.objects.client import answering
from workers.archives.objects.places import is_object_url
from workers.errors import ArtifactBroken, DiskFull, StoreUnavailable

logger = logging.getLogger(__name__)

Tensors = dict[str, NDArray[np.generic]]
#: (url, sha256, bytes) as the stage's row keeps it.
Stored = tuple[str, str, int]


def write(url: str, tensors: Tensors) -> Stored:
    """Store tensors; a crash leaves at most a temporary file on a disk. Raises `DiskFull` or `StoreUnavailable`."""
    content = save({name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()})
    filesystem, path = place(url)
    try:
        if _on_disk(filesystem):
            _write_file(filesystem, path, content)
        else:
            # An object store shows an object once all of it is there; renaming would be a second copy.
            with answering("an object"):
                filesystem.pipe_file(path, content)
    except OSError as exc:
        if exc.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise DiskFull("the artifact store has no space left") from exc
        raise StoreUnavailable(f"an object could not be written ({type(exc).__name__})") from exc
    return url, hashlib.sha256(content).hexdigest(), len(content)


def _write_file(filesystem: Any, path: str, content: bytes) -> None:
    partial = f"{path}.part-{os.getpid()}"
    try:
        filesystem.makedirs(path.rpartition("/")[0], exist_ok=True)
        with filesystem.open(partial, "wb") as file:
            file.write(content)
        filesystem.mv(partial, path)
    except OSError:
        _remove(filesystem, partial)
        raise


def place(url: str) -> tuple[Any, str]:
    """(fsspec file system, path) of a URL; that of `s3://` is shared with archives."""
    if is_object_url(url):
        return client.filesystem(), url.removeprefix("s3://")
    found, path = fsspec.core.url_to_fs(url)
    return found, str(path)


def _on_disk(filesystem: Any) -> bool:
    return isinstance(filesystem, LocalFileSystem)


def read(stored: Stored) -> Tensors:
    """Load what `write` stored; raises `ArtifactBroken` when it is gone or not the same, or `StoreUnavailable`."""
    url, sha256, _ = stored
    try:
        found, path = place(url)
        with answering("an object"):
            content = bytes(found.cat_file(path))
    except FileNotFoundError as exc:
        raise ArtifactBroken("an object between two stages is missing") from exc
    except OSError as exc:
        raise StoreUnavailable(f"an object could not be read ({type(exc).__name__})") from exc
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ArtifactBroken("an object between two stages was changed")
    try:
        return dict(load(content))
    except SafetensorError as exc:
        raise ArtifactBroken("an object between two stages cannot be parsed") from exc


def remove_batch(root: str, batch_id: int) -> None:
    """Delete a finished batch's objects; what cannot be deleted now is only wasted space."""
    found, path = place(f"{root}/batches/{batch_id}")
    try:
        with answering("a batch's objects"):
            found.rm(path, recursive=True)
    except FileNotFoundError:
        pass
    except (OSError, StoreUnavailable):
        logger.warning("the objects of batch %d could not be deleted", batch_id, exc_info=True)


def batches(root: str) -> list[int]:
    """The batches that have objects in the store."""
    found, path = place(f"{root}/batches")
    try:
        with answering("a listing of batches"):
            names = [str(entry).rstrip("/").rpartition("/")[2] for entry in found.ls(path, detail=False)]
    except FileNotFoundError:
        return []
    except (OSError, StoreUnavailable):
        logger.warning("the artifact store could not be listed", exc_info=True)
        return []
    return sorted(int(name) for name in names if name.isdigit())


def _remove(filesystem: Any, path: str) -> None:
    try:
        filesystem.rm(path)
    except OSError:
        pass


def batch_url(root: str, batch_id: int, stage: str, attempt: int) -> str:
    """Where a stage's object goes; the attempt keeps a late loser from overwriting the winner's."""
    return f"{root}/batches/{batch_id}/{stage}-{attempt}.safetensors"
