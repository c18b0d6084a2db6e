"""The page of details: every stored report in full, as it would stand in the run's own folder."""

from collections.abc import Sequence
from textwrap import wrap
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
    for report in stored.contexts.values():
        lines += _context(report)
    if stored.evaluations:
        lines += ["## Profiles measured", "", *_evaluations(stored.evaluations.values())]
    return "\n".join(lines).rstrip() + "\n"


def _trained(report: Report) -> list[str]:
    said = ", ".join(f"{name} {number}" for name, number in report["versions"].items())
    lines = [f"## {title(report)}", "", *_deeper(results(report)), "", *_deeper(details(report))]
    lines += [f"- {note}." for note in report["notes"]]
    return [*lines, f"- {said}.", ""]


def _context(report: Report) -> list[str]:
    """With and without the lines before, seed by seed; what was measured once, and why `mini` does not have it."""
    stage, rows = report["stage"], report["rows"]
    lines = max(row["context"] for row in rows)
    cells = (
        [
            f"{row['context'] or 'none'}",
            row["seed"],
            *(share(row[name]) for name in ("weighted_f1", "balanced_accuracy", "ece")),
        ]
        for row in rows
    )
    seeds = len({row["seed"] for row in rows if row["seed"].isdecimal()})
    said = (
        f"The shipped text model trained for {stage['steps']} steps more on the same texts, with the {lines} lines "
        f"before each in its dialogue as a second segment (“other: … same: …”, newest first, at most 40 "
        f"tokens, which the CNN does not see), and without them. It has learned from MELD’s training labels before, "
        f"in both cases alike. A row that is missing was not computed. MELD’s development file, {report['n']} lines:"
    )
    return [
        "## The text model with what was said before",
        "",
        *wrap(said, 119),
        "",
        *table(["lines before", "seed", "weighted F1", "balanced accuracy", "ECE"], cells),
        "",
        "    OMP_NUM_THREADS=1 python -m ml.experiments.mini_text --goemotions GOEMOTIONS --meld MELD \\",
        f"        --context {lines} --seed {report['seed']} --repeats {seeds} --out text-context.json",
        "",
    ]


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
