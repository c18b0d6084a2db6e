"""Diarization error rate on recorded meetings and calls whose speakers were marked by hand (RTTM).

    python -m ops.bench.alignment.diarization DATA

DATA holds recordings anywhere below it, with RTTM files beside them. Each is aligned as one channel without
transcript, its number of speakers unknown. Baseline: everything that voice activity detection finds is one speaker.
The last line is one JSON object.
"""

import argparse
import json
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ml.alignment.measures import DiarizationError, Spoken, boundary_errors, diarization_error
from ml.alignment.options import AlignOptions
from ml.alignment.untranscribed import from_voice_activity
from ml.audio.reader import open_audio

#: NIST's evaluations do not score this much around a reference boundary.
COLLAR_S = 0.25


def measure_diarization(data: Path) -> dict[str, Any]:
    """Error rates over all recordings below a folder, with and without collar, and seconds by kind for each file."""
    whole = {"der": DiarizationError(), "der_no_collar": DiarizationError(), "der_one_speaker": DiarizationError()}
    files: dict[str, dict[str, Any]] = {}
    distances: list[float] = []
    for path, turns in _references(data):
        found = _found(path)
        errors = {
            "der": diarization_error(turns, found, collar_s=COLLAR_S),
            "der_no_collar": diarization_error(turns, found),
            "der_one_speaker": diarization_error(turns, [replace(s, speaker="0") for s in found], collar_s=COLLAR_S),
        }
        whole = {name: total + errors[name] for name, total in whole.items()}
        distances += boundary_errors(turns, found)
        speakers = {"speakers": len({t.speaker for t in turns}), "found": len({s.speaker for s in found})}
        files[path.relative_to(data).as_posix()] = {**_figures(errors["der"]), **speakers}
    return {
        **{name: round(error.rate, 3) for name, error in whole.items()},
        **_figures(whole["der"]),
        "boundary_median_s": round(float(np.median(distances)), 3) if distances else None,
        "files": files,
    }


def _references(data: Path) -> Iterator[tuple[Path, list[Spoken]]]:
    """Recordings with the turns that RTTM files beside them give, in order of their paths."""
    for folder in sorted({rttm.parent for rttm in data.rglob("*.rttm")}):
        turns: dict[str, list[Spoken]] = {}
        for rttm in sorted(folder.glob("*.rttm")):
            for line in rttm.read_text(encoding="utf-8").splitlines():
                fields = line.split()
                if fields and fields[0] == "SPEAKER":
                    start_s = float(fields[3])
                    own = Spoken(start_s, start_s + float(fields[4]), fields[7])
                    turns.setdefault(_plain(fields[1]), []).append(own)
        for path in sorted(folder.iterdir()):
            if path.suffix != ".rttm" and _plain(path.stem) in turns:
                yield path, turns[_plain(path.stem)]


def _plain(name: str) -> str:
    """A name without accents: RTTM writers drop them from file names."""
    return unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()


def _found(path: Path) -> list[Spoken]:
    with open_audio(path, "mix") as audio:
        drafts = from_voice_activity(audio, AlignOptions().max_utterance_s, None, None)
    return [Spoken(draft.start_s, draft.end_s, str(draft.voice)) for draft in drafts]


def _figures(error: DiarizationError) -> dict[str, float]:
    return {
        "seconds": round(error.total_s, 2),
        "missed_s": round(error.missed_s, 2),
        "false_alarm_s": round(error.false_alarm_s, 2),
        "confusion_s": round(error.confusion_s, 2),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with recordings and RTTM files")
    measured = measure_diarization(parser.parse_args().data)
    for name, figures in measured.pop("files").items():
        print(f"{name:<40}", " ".join(f"{key} {value}" for key, value in figures.items()))
    print(json.dumps({"benchmark": "diarization", **measured}))


if __name__ == "__main__":
    main()
