"""The features of a data set as training reads them: cut from the cache, or computed where it has none."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ml.errors import ModelError
from ml.training.cache import FeatureCache, Shelf

#: Names of the tensors on the shelves.
STATES, MEL, PHONES, TOKENS = "states", "mel", "phones", "tokens"
#: Token vectors that a process keeps in memory.
TEXT_MEMORY_BYTES = 1_000_000_000


class FeatureMissing(ModelError):
    """A feature that the run prepared is no longer in the cache."""

    code = "feature_missing"
    hint = "Start the run again with --resume: it prepares what is missing; --cache-gb allows more."


@dataclass(frozen=True, slots=True)
class CachePlace:
    """Where a cache is and how large it may become; what other processes open it by."""

    folder: Path
    limit_bytes: int

    def open(self) -> FeatureCache:
        """The cache itself."""
        return FeatureCache(self.folder, self.limit_bytes)


@dataclass(frozen=True, slots=True)
class SpeechSet:
    """Labelled speech, ready to train on; small enough to send to the processes of the folds.

    Per item: `labels` (class ids), `speakers`, `frames` (20 ms frames of its mel spectrogram), and a key per shelf.
    `states_of` computes all hidden states [T, layers, D] of an item that the cache had no room for.
    """

    labels: NDArray[np.int64]
    speakers: tuple[str, ...]
    frames: tuple[int, ...]
    #: Speaker → [256].
    voices: Mapping[str, NDArray[np.float32]]
    cache: CachePlace
    #: Shelf name → key of every item. Shelves are those of `shelves`.
    keys: Mapping[str, tuple[str, ...]]
    #: STATES, MEL, PHONES → shelf name; STATES is not there where no encoder is used.
    shelves: Mapping[str, str]
    states_of: Callable[[int], Tensor] | None = None

    def __len__(self) -> int:
        return len(self.labels)


class SpeechReader:
    """Reads the features of a `SpeechSet`; one per process."""

    def __init__(self, data: SpeechSet) -> None:
        self.data = data
        cache = data.cache.open()
        self._shelves: dict[str, Shelf] = {kind: cache.shelf(name) for kind, name in data.shelves.items()}

    def states(self, index: int, start: int, stop: int) -> Tensor:
        """All hidden states [t, layers, D] of frames [start, stop), single precision."""
        found = self._rows(STATES, index, start, stop)
        if found is None:
            if self.data.states_of is None:
                raise FeatureMissing("the hidden states of an utterance are not in the cache")
            found = self.data.states_of(index)[start:stop]
        return found.float()

    def mel(self, index: int, start: int, stop: int) -> Tensor:
        """Log-mel frames [t, 80]."""
        return self._needed(MEL, index, start, stop).float()

    def phones(self, index: int, start: int, stop: int) -> Tensor:
        """Phone ids [t], int64."""
        return self._needed(PHONES, index, start, stop).long()

    def voices(self, indices: Sequence[int]) -> Tensor:
        """Speaker vectors [N, 256]."""
        return torch.from_numpy(np.stack([self.data.voices[self.data.speakers[i]] for i in indices]))

    def _needed(self, kind: str, index: int, start: int, stop: int) -> Tensor:
        found = self._rows(kind, index, start, stop)
        if found is None:
            raise FeatureMissing(f"the {kind} of an utterance is not in the cache")
        return found

    def _rows(self, kind: str, index: int, start: int, stop: int) -> Tensor | None:
        return self._shelves[kind].rows(self.data.keys[kind][index], kind, start, stop)


@dataclass(frozen=True, slots=True)
class TextSet:
    """Labelled texts whose token vectors are in the cache."""

    labels: NDArray[np.int64]
    cache: CachePlace
    keys: tuple[str, ...]
    shelf: str

    def __len__(self) -> int:
        return len(self.labels)


class TextReader:
    """Reads the token vectors of a `TextSet`; one per process.

    Texts are small and come again and again, so what was read stays in memory, up to a bound.
    """

    def __init__(self, data: TextSet) -> None:
        self.data = data
        self._shelf = data.cache.open().shelf(data.shelf)
        self._read: dict[int, Tensor] = {}
        self._bytes = 0

    def tokens(self, index: int) -> NDArray[np.float32]:
        """Token vectors [tokens, D] of a text, single precision."""
        vectors = self._read.get(index)
        if vectors is None:
            found = self._shelf.get(self.data.keys[index])
            if found is None:
                raise FeatureMissing("the token vectors of a text are not in the cache")
            vectors = found[TOKENS]
            self._bytes += vectors.nbytes
            if self._bytes <= TEXT_MEMORY_BYTES:
                self._read[index] = vectors
        return vectors.float().numpy()
