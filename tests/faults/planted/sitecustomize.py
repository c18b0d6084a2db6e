"""Put on a worker's path: recordings with certain names do to the process what no test could make a decoder do.

segfault-…       a wild pointer, whenever it is decoded
segfault2-…      the same, but only when a batch cuts its utterances out of it
hungry-…         memory until there is none
endless-…        a wait without end
stuck-…          a loop in C that no signal interrupts
"""

import ctypes
import importlib.abc
import importlib.machinery
import itertools
import sys
import time
from pathlib import Path
from types import ModuleType

_MODULE = "ml.audio.decode"


def _misbehave(name: str, whole: bool) -> None:
    kind = name.partition("-")[0]
    if kind == "segfault" or (kind == "segfault2" and not whole):
        ctypes.string_at(0)
    elif kind == "hungry":
        eaten = []
        while True:
            eaten.append(bytearray(100_000_000))
    elif kind == "endless":
        while True:
            time.sleep(0.05)
    elif kind == "stuck":
        sum(itertools.repeat(0))


class _Loader(importlib.abc.Loader):
    def __init__(self, real: importlib.abc.Loader) -> None:
        self._real = real

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self._real.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._real.exec_module(module)
        stream = module.stream

        def planted(path: Path, start_s: float = 0.0, end_s: float | None = None) -> object:
            _misbehave(Path(path).name, whole=end_s is None)
            return stream(path, start_s, end_s)

        # Alignment reads the blocks, the extract stage their sum, which `decode` makes of them.
        module.stream = planted  # type: ignore[attr-defined]


class _Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name: str, path: object = None, target: object = None) -> importlib.machinery.ModuleSpec | None:
        if name != _MODULE:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)  # type: ignore[arg-type]
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader)
        return spec


sys.meta_path.insert(0, _Finder())
