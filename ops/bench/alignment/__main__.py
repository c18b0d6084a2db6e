"""How good alignment is, in one table: make bench-alignment DATA=/path/to/data [ONLY=boundaries,speed].

Boundaries against TIMIT and an MFA corpus, wrong transcripts, speed, diarization, memory of a long recording, and
batched CTC against one utterance at a time. The last line is one JSON object; its shares are fractions.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from ml.alignment.aligner import Aligner
from ml.alignment.registry import find_aligner
from ml.device import torch_device
from ml.errors import TenorError
from ops.bench.alignment.boundaries import Errors, measure_boundaries, measure_mismatch
from ops.bench.alignment.reference import read_mfa, read_timit
from ops.bench.alignment.speed import measure_speed

#: Hours of the recording whose memory is measured.
HOURS = 10.0
#: Utterances that speed is measured on.
SPEED_UTTERANCES = 40


@dataclass(frozen=True, slots=True)
class Setting:
    """What is measured: the reference data, the aligners, the length of the long recording."""

    data: Path
    aligners: Sequence[Aligner]
    hours: float
    console: Console


def boundaries(setting: Setting) -> dict[str, Any]:
    """Word and phone boundaries; the figures of the first aligner on TIMIT go into the last line."""
    table = _table(
        "Distance from hand-placed boundaries", "n", "median ms", "mean", "≤ 20 ms", "30", "50", "100", "missed"
    )
    result: dict[str, Any] = {}
    for aligner in setting.aligners:
        aligner.preload()
        for corpus, references in (("timit", read_timit(setting.data)), ("mfa", read_mfa(setting.data))):
            measured = measure_boundaries(aligner, references)
            _add(table, f"{aligner.name} · {corpus} words", measured.words)
            if measured.phones.distances:
                _add(table, f"{aligner.name} · {corpus} phones", measured.phones)
            if not result:
                result = {
                    "words_50ms": round(measured.words.within(50), 4),
                    "phones_30ms": round(measured.phones.within(30), 4),
                    "not_aligned": round(measured.not_aligned / measured.utterances, 4),
                }
    setting.console.print(table)
    return result


def mismatch(setting: Setting) -> dict[str, Any]:
    """Shares of utterances refused: with another utterance's text (good), and with their own (bad)."""
    references = read_timit(setting.data)
    table = _table("Refused", "wrong transcripts", "right transcripts")
    result: dict[str, Any] = {}
    for aligner in setting.aligners:
        wrong, right = measure_mismatch(aligner, references)
        table.add_row(aligner.name, f"{wrong:.1%}", f"{right:.1%}")
        result = result or {"wrong_flagged": round(wrong, 4), "right_flagged": round(right, 4)}
    setting.console.print(table)
    return result


def speed(setting: Setting) -> dict[str, Any]:
    """Multiples of real time."""
    references = read_timit(setting.data)[:SPEED_UTTERANCES]
    table = _table("Times real time", "audio s", "together", "one at a time", "per core")
    result: dict[str, Any] = {}
    for aligner in setting.aligners:
        found = measure_speed(aligner, references)
        table.add_row(
            aligner.name, *(f"{v:.1f}" for v in (found.audio_s, found.realtime, found.one_by_one, found.per_core))
        )
        result = result or {"realtime": round(found.realtime, 1), "realtime_per_core": round(found.per_core, 1)}
    setting.console.print(table)
    return result


def diarization(setting: Setting) -> dict[str, Any]:
    """Diarization error rate on conversations/, collar 0.25 s and none."""
    from ops.bench.alignment.diarization import measure_diarization

    measured = measure_diarization(setting.data / "conversations")
    files = measured.pop("files", {})
    _figures(setting, "Diarization", {**measured, "files": len(files)})
    return {"der": measured["der"], "der_no_collar": measured["der_no_collar"]}


def memory(setting: Setting) -> dict[str, Any]:
    """Peak memory of aligning a short and a long recording."""
    from ops.bench.alignment.memory import measure_memory

    measured = measure_memory(setting.hours)
    _figures(setting, "Memory of a long recording", measured)
    return {"memory": measured}


def batching(setting: Setting) -> dict[str, Any]:
    """CTC alignment in batches against one utterance at a time; the last line has the lowest ratio of all encoders."""
    from ops.bench.alignment.batching import figures, measure_ctc_batching, utterances

    device = torch_device()
    table = _table(
        "Times as fast as one at a time, batched CTC", "whole", "processor time", "from", "to", "search", "real time"
    )
    measured = []
    for found in measure_ctc_batching(utterances(setting.data, None, device), device):
        whole = (found.whole.wall, found.whole.cpu, *found.whole.spread)
        name = f"{found.size} · {found.pieces} utterances, {device}, threads: {found.threads}"
        table.add_row(name, *(f"{v:.2f}" for v in whole), f"{found.search.wall:.1f}", f"{found.realtime:.1f}")
        measured.append(found)
    setting.console.print(table)
    return figures(measured)


PARTS: dict[str, Callable[[Setting], dict[str, Any]]] = {
    part.__name__: part for part in (boundaries, mismatch, speed, diarization, memory, batching)
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what is asked for, print tables and the line of JSON; 1 and a sentence when the data is not there."""
    parser = argparse.ArgumentParser(prog="bench-alignment", description=__doc__)
    parser.add_argument("data", type=Path, help="folder with timit/, mfa/ and conversations/")
    parser.add_argument("--only", default="", help=f"some of {','.join(PARTS)}; all by default")
    parser.add_argument("--aligner", action="append", help="a name of the registry; several times for several")
    parser.add_argument("--hours", type=float, default=HOURS, help="length of the recording that memory is measured on")
    asked = parser.parse_args(arguments)
    only = [name for name in asked.only.split(",") if name] or list(PARTS)
    if unknown := set(only) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    try:
        aligners = [find_aligner(name) for name in asked.aligner or ["pocketsphinx"]]
        setting = Setting(asked.data, aligners, asked.hours, Console(width=120))
        result = {key: value for name in only for key, value in PARTS[name](setting).items()}
    except TenorError as exc:
        print(f"{exc}. {exc.hint}", file=sys.stderr)
        return 1
    print(json.dumps({"benchmark": "alignment", **result}))
    return 0


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("", no_wrap=True)
    for column in columns:
        table.add_column(column, justify="right")
    return table


def _add(table: Table, name: str, errors: Errors) -> None:
    s = errors.summary()
    shares = (f"{s[f'within_{ms}']:.1%}" for ms in (20, 30, 50, 100))
    table.add_row(name, f"{s['n']:.0f}", f"{s['median_ms']}", f"{s['mean_ms']}", *shares, f"{s['missed']:.0f}")


def _figures(setting: Setting, title: str, figures: dict[str, Any]) -> None:
    table = _table(title, "")
    for name, value in figures.items():
        table.add_row(name.replace("_", " "), str(value))
    setting.console.print(table)


if __name__ == "__main__":
    sys.exit(main())
