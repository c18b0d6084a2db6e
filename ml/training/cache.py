"""Features of utterances on disk, made once for all folds, variants and later runs.

A shelf holds one kind of feature by one maker (say, all layers of one encoder); its name says which, and a key says
what of: the content of the audio. The folder never grows beyond its bound. What is not in use makes room, longest
unused first; when there is none left, `put` declines, and the caller computes that feature again whenever it is needed.
So a small encoder's layers are all kept, and a large one's (65 GB for IEMOCAP) as far as the bound allows.
"""

import fcntl
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

#: The file that whoever uses a shelf holds a lock on; its time is that of the last use.
IN_USE = ".in-use"
#: What a file holds beside its tensors, at most.
HEADER_BYTES = 1024


class FeatureCache:
    """Shelves below one folder, with a bound on their bytes together."""

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self.folder, self.limit_bytes = folder, limit_bytes

    def shelf(self, name: str) -> "Shelf":
        """The shelf of that name, kept from removal as long as the object lives."""
        return Shelf(self, name)

    def used_bytes(self) -> int:
        """Bytes of all features."""
        return sum(path.stat().st_size for path in self.folder.glob("*/*.safetensors"))

    def make_room(self, wanted: int) -> None:
        """Remove shelves that nobody uses until `wanted` bytes are free, or none is left."""
        shelves = [path for path in self.folder.iterdir() if (path / IN_USE).is_file()]
        for path in sorted(shelves, key=lambda p: (p / IN_USE).stat().st_mtime):
            if self.used_bytes() + wanted <= self.limit_bytes:
                return
            with (path / IN_USE).open("rb") as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue
                shutil.rmtree(path)


class Shelf:
    """Tensors by key. Any number of processes may read; a run writes from one."""

    def __init__(self, cache: FeatureCache, name: str) -> None:
        self._cache, self.name = cache, name
        self.folder = cache.folder / name
        self._lock: IO[bytes] = self._held()
        self._used = cache.used_bytes()
        self._full = False

    def _held(self) -> IO[bytes]:
        while True:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = (self.folder / IN_USE).open("ab")
            fcntl.flock(lock, fcntl.LOCK_SH)
            try:
                os.utime(self.folder / IN_USE)
                return lock
            except FileNotFoundError:  # Removed between opening and locking it.
                lock.close()

    def close(self) -> None:
        """Let it be removed when others need the room."""
        self._lock.close()

    def path(self, key: str) -> Path:
        """Where the feature of that key is or would be."""
        return self.folder / f"{key}.safetensors"

    def has(self, key: str) -> bool:
        """Whether it is there."""
        return self.path(key).is_file()

    def put(self, key: str, tensors: Mapping[str, Tensor]) -> bool:
        """Keep tensors, whole or not at all; False when the bound leaves no room."""
        size = sum(t.nelement() * t.element_size() for t in tensors.values()) + HEADER_BYTES
        if not self._room_for(size):
            return False
        path = self.path(key)
        partial = path.with_name(f".{key}.{os.getpid()}")
        try:
            save_file({name: t.contiguous() for name, t in tensors.items()}, partial)
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)
        self._used += path.stat().st_size
        return True

    def _room_for(self, size: int) -> bool:
        if self._used + size > self._cache.limit_bytes and not self._full:
            self._cache.make_room(size)
            self._used = self._cache.used_bytes()
            # Nothing more can go while this run lasts, so later features need not look again.
            self._full = self._used + size > self._cache.limit_bytes
        return not self._full

    def get(self, key: str) -> dict[str, Tensor] | None:
        """The tensors of a key, None when they are not there."""
        try:
            tensors: dict[str, Tensor] = load_file(self.path(key))
            return tensors
        except FileNotFoundError:
            return None

    def rows(self, key: str, name: str, start: int, stop: int) -> Tensor | None:
        """Rows [start, stop) of one tensor, read alone; None when the key is not there."""
        try:
            with safe_open(self.path(key), framework="pt") as file:
                part: Tensor = file.get_slice(name)[start:stop]
                return part
        except FileNotFoundError:
            return None

    def length(self, key: str, name: str) -> int:
        """Rows of one tensor, without reading it; raises `FileNotFoundError`."""
        with safe_open(self.path(key), framework="pt") as file:
            return int(file.get_slice(name).get_shape()[0])
