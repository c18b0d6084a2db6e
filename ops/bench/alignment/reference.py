"""Speech whose words and phones were placed by hand, as the benchmark reads it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml.alignment.phones import folded
from ml.alignment.tokens import tokens
from ml.alignment.types import Phone
from ml.audio.decode import decode
from ml.errors import TenorError
from ml.transcripts import Said, read_transcript

#: TIMIT writes its times in samples.
TIMIT_RATE = 16_000


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
    phones: tuple[Phone, ...]


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
                tuple(folded([Phone(p.text, p.start_s, p.end_s) for p in _timit(path.with_suffix(".phn"))])),
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
