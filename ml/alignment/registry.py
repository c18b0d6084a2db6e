"""Aligners by name. One takes samples and words and gives word and phone times, or raises `NotAligned`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.alignment import pocketsphinx
from ml.alignment.types import Phone, Word
from ml.errors import TenorError

ForceAlign = Callable[[NDArray[np.float32], Sequence[str]], tuple[list[Word], list[Phone]]]


@dataclass(frozen=True, slots=True)
class Aligner:
    """A named aligner; `languages` it can align (ISO 639-1)."""

    name: str
    languages: frozenset[str]
    force_align: ForceAlign
    preload: Callable[[], None]


class AlignerUnknown(TenorError):
    """A job names an aligner that does not exist."""

    code = "aligner_unknown"
    hint = "Use one of those named."


def _cannot(_samples: NDArray[np.float32], _words: Sequence[str]) -> tuple[list[Word], list[Phone]]:
    raise pocketsphinx.NotAligned("this job does not align words")


ALIGNERS = {
    aligner.name: aligner
    for aligner in (
        Aligner("pocketsphinx", frozenset({"en"}), pocketsphinx.force_align, pocketsphinx.preload),
        Aligner("none", frozenset(), _cannot, lambda: None),
    )
}


def find_aligner(name: str) -> Aligner:
    """The aligner of that name; raises `AlignerUnknown` listing those there are."""
    if name not in ALIGNERS:
        raise AlignerUnknown(f"there is no aligner {name!r}; there are {', '.join(sorted(ALIGNERS))}")
    return ALIGNERS[name]
