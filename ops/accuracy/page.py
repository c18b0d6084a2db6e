"""The page of details: every stored report in full, as it would stand in the run's own folder."""

from collections.abc import Sequence
from typing import Any

from ml.reports.markdown import DEFINITIONS, details, interval, results, share, table, title
from ops.accuracy.section import compared
from ops.accuracy.stored import Report, Stored

HEAD = (
    "<!-- Written by `make accuracy` from the JSON in ops/accuracy/reports; edit neither by hand. -->",
    "",
    "# What the models are worth, in detail",
    "",
    "Every table has the command that makes it. `--digest FILE` of `tenor train` and `tenor evaluate` writes the JSON;",
    "folders stand in capitals. The encoder of `mini-speech`, which is the default, has learned from other people's",
    "speech, without labels: no speaker below was heard by it.",
    "",
)


def page(stored: Stored) -> str:
    """The page as Markdown."""
    lines = [*HEAD, "## Side by side", "", *compared(stored)]
    for report in (*stored.speech.values(), *stored.text.values()):
        lines += _trained(report)
    if stored.evaluations:
        lines += ["## Profiles measured", "", *_evaluations(stored.evaluations.values())]
    return "\n".join(lines).rstrip() + "\n"


def _trained(report: Report) -> list[str]:
    said = ", ".join(f"{name} {number}" for name, number in report["versions"].items())
    lines = [f"## {title(report)}", "", *_deeper(results(report)), "", *_deeper(details(report))]
    lines += [f"- {note}." for note in report["notes"]]
    return [*lines, f"- {said}.", ""]


def _deeper(lines: Sequence[str]) -> list[str]:
    """Headings a level below the run's."""
    return [f"#{line}" if line.startswith("## ") else line for line in lines]


def _evaluations(reports: Any) -> list[str]:
    lines = []
    for report in reports:
        lines += [f"    {report['command']}", "", *evaluation_table(report), ""]
        lines += [*(f"- {note}." for note in report["notes"]), ""]
    return [*lines, DEFINITIONS, ""]


def evaluation_table(report: Report) -> list[str]:
    """A row for every side of a profile."""
    classes = report["classes"]
    sides = {side: row for side, row in report["modalities"].items() if row is not None}
    cells = (
        [
            side,
            str(row["n"]),
            *(interval(_bounded(row, name)) for name in ("accuracy", "balanced_accuracy")),
            share(row["weighted_f1"]),
            *(share(row["recall"][name], 2) for name in classes),
            share(row["ece"]),
        ]
        for side, row in sides.items()
    )
    header = ["by", "n", "accuracy", "balanced accuracy", "weighted F1", *(f"recall {name}" for name in classes), "ECE"]
    return table(header, cells)


def _bounded(row: dict[str, Any], name: str) -> dict[str, float | None]:
    low, high = row[f"{name}_interval"] or (None, None)
    return {"value": row[name], "low": low, "high": high}
