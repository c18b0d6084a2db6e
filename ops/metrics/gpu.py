"""What the GPUs of this machine are doing, as `nvidia-smi` tells it; nothing where there is none."""

import csv
import shutil
import subprocess
from dataclasses import dataclass

_ASKED = "index,name,utilization.gpu,memory.used,memory.total,temperature.gpu"
_PATIENCE_S = 5.0


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU; None is what it does not tell."""

    index: str
    name: str
    #: 0 to 1: the share of the last moments in which something ran on it.
    busy: float | None
    used_bytes: float | None
    total_bytes: float | None
    celsius: float | None


def look() -> list[Gpu]:
    """Every GPU of this machine; [] where there is no driver, or it does not answer."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    try:
        said = subprocess.run(
            [program, f"--query-gpu={_ASKED}", "--format=csv,noheader,nounits"],
            capture_output=True,
            text=True,
            timeout=_PATIENCE_S,
            check=True,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return [_gpu(row) for row in csv.reader(said.splitlines(), skipinitialspace=True) if len(row) == 6]


def _gpu(row: list[str]) -> Gpu:
    index, name, *figures = row
    busy, used, total, celsius = map(_number, figures)
    mib = 1 << 20
    return Gpu(
        index,
        name,
        busy if busy is None else busy / 100,
        used if used is None else used * mib,
        total if total is None else total * mib,
        celsius,
    )


def _number(written: str) -> float | None:
    """A figure, None for `[N/A]` and `[Not Supported]`."""
    try:
        return float(written)
    except ValueError:
        return None
