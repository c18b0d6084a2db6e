"""Labelled utterances through a profile version, as production scores them, in pieces that survive a kill."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml.corpora.types import LabelledUtterance
from ml.emotions import EMOTIONS
from ml.experiments.evaluation import AT_ONCE, scored_items
from ml.inference.engine import Engine

Counted = Callable[[int, int], None]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Measured:
    """Probabilities [N, 7] by voice, by words and fused; NaN where there are none."""

    speech: Floats
    text: Floats
    fused: Floats

    def rows(self, numbers: NDArray[np.int64]) -> "Measured":
        """Those of some utterances."""
        return Measured(self.speech[numbers], self.text[numbers], self.fused[numbers])


def measure(
    engine: Engine,
    items: Sequence[LabelledUtterance],
    voice_of: dict[str, NDArray[np.float32]],
    folder: Path,
    counted: Counted,
) -> Measured:
    """Score items; what lies in `folder` from an attempt that was killed is taken from there.

    A folder belongs to one version and one list of items; whoever has others takes another folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    parts: list[tuple[Floats, ...]] = []
    for begin in range(0, len(items), AT_ONCE):
        path = folder / f"{begin:06}.npz"
        if not path.is_file():
            speech, text, fused = scored_items(engine, items[begin : begin + AT_ONCE], voice_of)
            partial = path.with_name(f".{path.name}")
            with partial.open("wb") as file:
                np.savez(file, speech=speech, text=text, fused=fused)
            partial.replace(path)
        with np.load(path, allow_pickle=False) as stored:
            parts.append(tuple(stored[name] for name in ("speech", "text", "fused")))
        counted(min(begin + AT_ONCE, len(items)), len(items))
    if not parts:
        nothing = np.zeros((0, len(EMOTIONS)))
        return Measured(nothing, nothing, nothing)
    return Measured(*(np.concatenate(values) for values in zip(*parts, strict=True)))
