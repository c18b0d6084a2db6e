"""Speech whose words and phones were placed by hand, as the benchmark reads it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml.alignment.tokens import tokens
from ml.audio.decode import decode
from ml.errors import TenorError
from ml.transcripts import Said, read_transcript

#: TIMIT writes its times in samples.
TIMIT_RATE = 16_000
#: TIMIT's 61 labels (Garofolo et al. 1993, table of symbols) to the phones of the CMU dictionary; a stop's closure
#: belongs to the stop. Those missing here are upper-cased; None: no phone of that dictionary.
TIMIT_TO_CMU: dict[str, str | None] = {
    "ax": "AH", "ax-h": "AH", "ix": "IH", "axr": "ER", "ux": "UW", "hv": "HH", "dx": "T", "nx": "N", "em": "M",
    "en": "N", "eng": "NG", "el": "L", "q": None, "h#": None, "pau": None, "epi": None,
}  # fmt: skip
CLOSURES = {"bcl": ("b",), "dcl": ("d", "jh"), "gcl": ("g",), "pcl": ("p",), "tcl": ("t", "ch"), "kcl": ("k",)}


class NoReference(TenorError):
    """The benchmark's recordings are not there."""

    code = "no_reference"
    hint = "Name the folder that holds timit/ and mfa/: make bench-alignment DATA=/path/to/data."


@dataclass(frozen=True, slots=True)
class Reference:
    """Samples [n] at 16 kHz, the words to be found, and where a person found words and phones (seconds)."""

    name: str
    samples: NDArray[np.float32]
    written: tuple[str, ...]
    words: tuple[Said, ...]
    phones: tuple[Said, ...]


def read_timit(data: Path) -> list[Reference]:
    """Every utterance under `timit/`; raises `NoReference` when there is none."""
    found = []
    for path in sorted((data / "timit").rglob("*.wav")):
        text = " ".join(path.with_suffix(".txt").read_text().split()[2:])
        found.append(
            Reference(
                f"{path.parent.name}/{path.stem}",
                decode(path).mean(axis=0),
                tuple(tokens(text.replace("-", " "))),  # the parts of such words are placed apart
                tuple(_timit(path.with_suffix(".wrd"))),
                tuple(fold(_timit(path.with_suffix(".phn")))),
            )
        )
    if not found:
        raise NoReference(f"there is no recording with hand-placed words under {data / 'timit'}")
    return found


def read_mfa(data: Path) -> list[Reference]:
    """The recordings under `mfa/` whose TextGrid holds words; it gives phones in a narrower set, which are left out."""
    found = []
    for path in sorted((data / "mfa").glob("*.wav")):
        turns = read_transcript(path.with_suffix(".TextGrid")).turns
        words = tuple(word for turn in turns for word in turn.words or ())
        if words:
            written = tuple(token for word in words for token in tokens(word.text))
            found.append(Reference(f"mfa/{path.stem}", decode(path).mean(axis=0), written, words, ()))
    return found


def _timit(path: Path) -> Iterator[Said]:
    for line in path.read_text().splitlines():
        start, end, label = line.split(maxsplit=2)
        yield Said(label, int(start) / TIMIT_RATE, int(end) / TIMIT_RATE)


def fold(phones: Iterable[Said]) -> Iterator[Said]:
    """TIMIT's phones as those of the CMU dictionary: closures joined to their stops, pauses left out."""
    closure: Said | None = None
    for phone in phones:
        if closure is not None:
            if phone.text in CLOSURES[closure.text]:
                phone = Said(phone.text, closure.start_s, phone.end_s)
            else:
                # A stop that is held and not released.
                yield Said(CLOSURES[closure.text][0].upper(), closure.start_s, closure.end_s)
            closure = None
        if phone.text in CLOSURES:
            closure = phone
            continue
        label = TIMIT_TO_CMU.get(phone.text, phone.text.upper())
        if label is not None:
            yield Said(label, phone.start_s, phone.end_s)
    if closure is not None:
        yield Said(CLOSURES[closure.text][0].upper(), closure.start_s, closure.end_s)
