"""Aligners by name."""

from collections.abc import Sequence

from ml.alignment import sphinx
from ml.alignment.aligner import Aligner, NotAligned, Piece, Placed
from ml.alignment.ctc.named import PREFIX, named_aligner, pinned_name
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
    """The aligner of that name; loads nothing yet.

    Raises `AlignerUnknown` listing those there are, or an error of `ml.checkpoints.errors`.
    """
    if name.startswith(PREFIX):
        return named_aligner(name)
    if name not in ALIGNERS:
        known = ", ".join(sorted([*ALIGNERS, f"{PREFIX}CHECKPOINT"]))
        raise AlignerUnknown(f"there is no aligner {name!r}; there are {known}")
    return ALIGNERS[name]


def pin_aligner(name: str) -> str:
    """The name that says all that decides what the aligner finds: with the content of a checkpoint's folder."""
    return pinned_name(name) if name.startswith(PREFIX) else name
