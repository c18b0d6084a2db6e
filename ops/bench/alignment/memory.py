"""How much memory the alignment of a long recording takes, against that of a short one.

    python -m ops.bench.alignment.memory [--hours 10]

The bundled sample calls, one after another and again, make a recording of the wanted length in a temporary folder,
which is aligned without transcript in a process of its own, whose peak is read (Linux only). Baseline: half an hour.
The last line is one JSON object.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from ml.audio.decode import SAMPLE_RATE, decode
from ops.samples import ARCHIVE

BASELINE_HOURS = 0.5

_ALIGN = """
import json, sys, time
from pathlib import Path
from ml.alignment.options import AlignOptions
from ml.alignment.recording import align_recording
alignment = align_recording(Path(sys.argv[1]), None, AlignOptions())
# Not getrusage: its peak is inherited from whoever started the process
peak = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
counts = {"utterances": len(alignment.utterances), "speakers": len(alignment.speakers)}
print(json.dumps({**counts, "peak_kb": peak, "cpu_s": time.process_time()}))
"""


def measure_memory(hours: float) -> dict[str, Any]:
    """Peak resident memory (MB) of aligning `hours` and the baseline; seconds of audio per second of processor time."""
    with tempfile.TemporaryDirectory(prefix="tenor-bench-") as folder:
        short, long = _measured(Path(folder), BASELINE_HOURS), _measured(Path(folder), hours)
    return {
        "hours": hours,
        "peak_mb": long["peak_mb"],
        "baseline_hours": BASELINE_HOURS,
        "baseline_peak_mb": short["peak_mb"],
        "growth_mb_per_hour": round((long["peak_mb"] - short["peak_mb"]) / max(hours - BASELINE_HOURS, 1e-9), 1),
        "times_real_time": long["times_real_time"],
        "utterances": long["utterances"],
        "speakers": long["speakers"],
    }


def _measured(folder: Path, hours: float) -> dict[str, Any]:
    path = folder / f"{hours}.flac"
    _write(path, hours)
    done = subprocess.run([sys.executable, "-c", _ALIGN, str(path)], stdout=subprocess.PIPE, text=True, check=True)
    path.unlink()
    figures = json.loads(done.stdout.splitlines()[-1])
    return {
        **figures,
        "peak_mb": round(figures["peak_kb"] / 1024),
        "times_real_time": round(3600 * hours / figures["cpu_s"], 1),
    }


def _write(path: Path, hours: float) -> None:
    """So many hours of the sample calls in one channel, each round a little louder or softer than the one before."""
    # Those with a transcript: the archive also holds a recording that is damaged.
    calls = [decode(text.with_suffix(".ogg")).mean(axis=0) for text in sorted(ARCHIVE.glob("*.txt"))]
    left, turn = round(hours * 3600 * SAMPLE_RATE), 0
    with soundfile.SoundFile(path, "w", SAMPLE_RATE, 1, subtype="PCM_16") as file:
        while left > 0:
            call = calls[turn % len(calls)][:left] * np.float32(0.7 + 0.3 * np.cos(turn))
            file.write(call)
            left, turn = left - len(call), turn + 1


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=10.0)
    print(json.dumps({"benchmark": "alignment_memory", **measure_memory(parser.parse_args().hours)}))


if __name__ == "__main__":
    main()
