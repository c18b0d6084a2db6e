"""README's accuracy section, and what was trained side by side; each table beside the command that makes it."""

import textwrap
from collections.abc import Sequence
from typing import Any

from ml.errors import TenorError
from ml.reports.markdown import interval, share, table
from ml.reports.paper import MAKIUCHI_2021, WHOSE
from ops.accuracy.bundles import bundle_tables
from ops.accuracy.stored import Report, Stored

BEGIN = "<!-- accuracy: written by `make accuracy` from ops/accuracy/reports and the bundles' report.json -->"
END = "<!-- accuracy: end -->"


class MarkersMissing(TenorError):
    """A page does not say where the accuracy section belongs."""

    code = "markers_missing"
    hint = f"Put the lines {BEGIN} and {END} where the section belongs."


def rewritten(readme: str, section: str) -> str:
    """The page with what stands between the markers replaced; raises `MarkersMissing`."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise MarkersMissing("README has no place for the accuracy section")
    return f"{before}{begin}\n{section}{end}{after}"


def section(stored: Stored) -> str:
    """The section as Markdown, markers not included."""
    lines = [
        "### Accuracy",
        "",
        *bundle_tables(stored),
        "Brackets hold 95 % confidence intervals by bootstrap over speakers (of texts, dialogues); ECE is the expected",
        "calibration error. Source A's models beside simple baselines, recall by class, reconstruction, speakers in",
        "the codes, weights of voice and words, `tenor evaluate`: [accuracy.md](ops/docs/accuracy.md).",
        "`make accuracy` writes this section and that page from the reports in ops/accuracy.",
        "",
    ]
    return "\n".join(lines)


def compared(stored: Stored) -> list[str]:
    """What was trained, side by side, each table with the commands that make it."""
    lines = _speech(stored.speech) if stored.speech else []
    for report in stored.text.values():
        lines += _text(report)
    return lines


def _speech(reports: dict[str, Report]) -> list[str]:
    """Source A's variants: a row for each, a column for each corpus."""
    names = list(dict.fromkeys(row["name"] for report in reports.values() for row in report["rows"]))
    header = ["balanced accuracy", *(_corpus(report) for report in reports.values())]
    cells = ([_styled(name, reports), *(_cell(report, name) for report in reports.values())] for name in names)
    lines = [
        "**Source A's speech models** over a frozen encoder that no label has touched, on people they never heard,",
        "four classes (chance 0.25), trained as briefly as the commands say; in italics, what one would try first, in",
        "the same folds:",
        "",
        *table(header, cells),
        "",
    ]
    lines += [f"    {report['command']}" for report in reports.values()]
    return ["", *_wrapped(lines), *_theirs()][1:]


def _text(report: Report) -> list[str]:
    classes = len(report["classes"])
    rows = sorted(report["rows"], key=lambda row: -row["weighted_f1"])
    cells = (
        [_name(row), str(row["n"]), share(row["weighted_f1"]), interval(row["balanced_accuracy"]), share(_ece(row))]
        for row in rows
    )
    return [
        f"**Its text model** over frozen encoders, {_corpus(report, count=False)}, {classes} classes:",
        "",
        *table(["encoder", "n", "weighted F1", "balanced accuracy", "ECE"], cells),
        "",
        *_wrapped([f"    {report['command']}"]),
        "",
    ]


def _theirs() -> list[str]:
    figures = ", ".join(f"{name} {value:.1f}" for name, value in MAKIUCHI_2021)
    return ["", *textwrap.wrap(f"The paper's own figures, in per cent: {figures}. {WHOSE}", 119), ""]


def _corpus(report: Report, *, count: bool = True) -> str:
    part, folds = report["data"][0], report["folds"]
    how = {"speaker": "leave one speaker out", "session": "leave one session out", "split": "its own split"}
    named = how.get(folds["kind"], "folds of whole speakers")
    if few := report["plan"]["only_folds"]:
        named += f", only the first {few}"
    return f"{part['corpus']}, {named}" + (f", n = {report['rows'][0]['n']}" if count else "")


def _cell(report: Report, name: str) -> str:
    row = next((row for row in report["rows"] if row["name"] == name), None)
    return "–" if row is None else interval(row["balanced_accuracy"])


def _styled(name: str, reports: dict[str, Report]) -> str:
    kinds = {row["kind"] for report in reports.values() for row in report["rows"] if row["name"] == name}
    return f"*{name}*" if kinds == {"baseline"} else name


def _name(row: dict[str, Any]) -> str:
    return f"*{row['name']}*" if row["kind"] == "baseline" else row["name"]


def _ece(row: dict[str, Any]) -> float | None:
    value: float | None = row["ece_before"] if row["ece_after"] is None else row["ece_after"]
    return value


def _wrapped(lines: Sequence[str]) -> list[str]:
    """Commands longer than a line are broken before an option, as a shell reads them."""
    found: list[str] = []
    for line in lines:
        if not line.startswith("    ") or len(line) <= 118:
            found.append(line)
            continue
        words, current = line.strip().split(" --"), ""
        for word in words:
            piece = word if not current else f"{current} --{word}"
            if current and len(piece) > 110:
                found.append(f"    {current} \\")
                current = f"    --{word}"
            else:
                current = piece
        found.append(f"    {current}")
    return found
