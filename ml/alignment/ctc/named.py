"""`ctc:CHECKPOINT` as an aligner: checked when a job is made, loaded when the first piece comes. Needs no torch."""

import functools
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ml.alignment.aligner import Aligner, NotAligned, Piece, Placed
from ml.alignment.ctc.checkpoint import check, preprocessing
from ml.alignment.ctc.vocabulary import Vocabulary, read_vocabulary
from ml.checkpoints import Checkpoint

if TYPE_CHECKING:
    from ml.alignment.ctc.aligner import CtcAligner

PREFIX = "ctc:"
#: Checkpoints that stay in memory.
LOADED = 2

#: A checkpoint is loaded once and runs one list of pieces at a time, whoever asks.
_lock = threading.Lock()


def named_aligner(name: str) -> Aligner:
    """The aligner of a name with `PREFIX`.

    A folder's files are checked now, except for the values of its weights; a Hub id when it is first used. Raises
    `CheckpointMissing` or another error of `ml.checkpoints.errors`.
    """
    checkpoint = Checkpoint.parse(name.removeprefix(PREFIX))
    languages = None
    if checkpoint.local and _read(Path(checkpoint.source)).phonetic:
        # Only English has a dictionary of sounds.
        languages = frozenset({"en"})
    return Aligner(name, languages, functools.partial(_align, checkpoint), functools.partial(_preload, checkpoint))


def pinned_name(name: str) -> str:
    """The name with the folder's absolute path and fingerprint: what an alignment is known by."""
    return PREFIX + str(Checkpoint.parse(name.removeprefix(PREFIX)).pinned())


def _read(folder: Path) -> Vocabulary:
    return read_vocabulary(folder, check(folder))


@functools.lru_cache(maxsize=LOADED)
def _loaded(checkpoint: Checkpoint) -> "CtcAligner":
    from ml.alignment.ctc.aligner import CtcAligner
    from ml.alignment.ctc.emissions import CtcEncoder

    folder = checkpoint.folder()
    vocabulary = _read(folder)
    normalised = bool(preprocessing(folder).get("do_normalize", True))
    return CtcAligner(CtcEncoder.load(folder, do_normalize=normalised), vocabulary)


def _preload(checkpoint: Checkpoint) -> None:
    with _lock:
        _loaded(checkpoint)


def _align(checkpoint: Checkpoint, pieces: Sequence[Piece]) -> list[Placed | NotAligned]:
    with _lock:
        return _loaded(checkpoint).align(pieces)
