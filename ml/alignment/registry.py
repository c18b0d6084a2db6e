"""Aligners by name."""

from collections.abc import Sequence

from ml.alignment import sphinx
from ml.alignment.aligner import Aligner, NotAligned, Piece, Placed
from ml.errors import TenorError


class AlignerUnknown(TenorError):
    """A job names an aligner that does not exist."""

    code = "aligner_unknown"
    hint = "Use one of those named."


def _cannot(pieces: Sequence[Piece]) -> list[Placed | NotAligned]:
    return [NotAligned("this job does not align words") for _ in pieces]


ALIGNERS = {
    aligner.name: aligner
    for aligner in (
        Aligner("pocketsphinx", frozenset({"en"}), sphinx.align, sphinx.preload),
        Aligner("none", frozenset(), _cannot, lambda: None),
    )
}


def find_aligner(name: str) -> Aligner:
    """The aligner of that name; raises `AlignerUnknown` listing those there are."""
    if name not in ALIGNERS:
        raise AlignerUnknown(f"there is no aligner {name!r}; there are {', '.join(sorted(ALIGNERS))}")
    return ALIGNERS[name]
