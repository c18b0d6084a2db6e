"""An archive of a few hundred short recordings, cut out of the project's own sample calls."""

import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from ml.audio.decode import SAMPLE_RATE, decode
from tests.acceptance.house import SAMPLES

_TURN = re.compile(r"([\d.]+) ([\d.]+) \[(.+?)\] (.+)")
#: Turns up to so long stay whole and keep their words; everything else is cut short, since what a fault meets is many
#: recordings, not long ones.
_WHOLE_S, _SHORT_S = 3.2, 1.1


def make_archive(folder: Path, *, recordings: int = 224) -> list[str]:
    """Write so many recordings of 1 to 3 seconds, some with a transcript; returns their names.

    Each is another sound: further rounds over the calls are played at other speeds.
    """
    folder.mkdir(parents=True)
    names = []
    for call, number, turn, samples, line in _pieces():
        if len(names) == recordings:
            break
        # Spread over subfolders, as archives are.
        path = folder / call / f"{number:02d}-{turn}.flac"
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, samples, SAMPLE_RATE, subtype="PCM_16")
        if line:
            path.with_suffix(".txt").write_text(line + "\n", encoding="utf-8")
        names.append(path.relative_to(folder).as_posix())
    return names


def _pieces() -> Iterator[tuple[str, int, str, NDArray[np.float32], str | None]]:
    calls = [
        (path.stem, decode(path), _turns(path.with_suffix(".txt")))
        for path in sorted(SAMPLES.glob("*.ogg"))
        if path.with_suffix(".txt").exists()
    ]
    for turn in itertools.count():
        speed = 1.0 + (turn + 1) // 2 * 0.03 * (-1) ** turn
        for call, audio, turns in calls:
            parties = list(dict.fromkeys(speaker for _, _, speaker, _ in turns))
            for number, (start_s, end_s, speaker, words) in enumerate(turns):
                own = audio[parties.index(speaker), round(start_s * SAMPLE_RATE) : round(end_s * SAMPLE_RATE)]
                whole = not turn and end_s - start_s <= _WHOLE_S
                if not whole:
                    own = _at_speed(own, speed)[: round(_SHORT_S * SAMPLE_RATE)]
                line = f"0.00 {len(own) / SAMPLE_RATE:.2f} [{speaker}] {words}" if whole else None
                yield call, number, f"{turn:02d}", own, line


def _turns(transcript: Path) -> list[tuple[float, float, str, str]]:
    found = (_TURN.match(line) for line in transcript.read_text(encoding="utf-8").splitlines())
    return [(float(m[1]), float(m[2]), m[3], m[4]) for m in found if m]


def _at_speed(samples: NDArray[np.float32], speed: float) -> NDArray[np.float32]:
    places = np.arange(0, len(samples) - 1, speed)
    return np.interp(places, np.arange(len(samples)), samples).astype(np.float32)
