"""The shipped models in README: what the reports beside their bundles say."""

from typing import Any

from ml.reports.markdown import interval, share, table
from ops.accuracy.stored import Report, Stored

SPEECH, TEXT = "mini-speech", "mini-text"
#: Corpora of the reports, which are lists of rows as `ml.experiments.outcomes.figures` makes them, the model's first.
SPOKEN = {"ravdess": "RAVDESS", "nemo": "nEMO"}
WRITTEN = {"meld": "MELD", "goemotions": "GoEmotions"}


def bundle_tables(stored: Stored) -> list[str]:
    """A table for every bundle that has a report."""
    lines: list[str] = []
    if SPEECH in stored.bundles:
        lines += _speech(stored.bundles[SPEECH])
    if TEXT in stored.bundles:
        lines += _text(stored.bundles[TEXT])
    return lines


def _speech(report: Report) -> list[str]:
    cells = []
    for corpus, name in SPOKEN.items():
        rows = report.get(corpus, [])
        for model in (row for row in rows if row["kind"] == "model"):
            same = [row for row in rows if row["recall"].keys() == model["recall"].keys()]
            cells.append(
                [
                    f"{name}, {len([c for c, found in model['recall'].items() if found is not None])} classes",
                    str(model["n"]),
                    interval(model["balanced_accuracy"]),
                    _floor(same, "balanced_accuracy"),
                    share(model["ece_after"]),
                ]
            )
    return [
        "**`mini` by voice**, on people whom neither training nor the temperature saw, each in one fold:",
        "",
        *table(["", "n", "balanced accuracy", "best simple model, same folds", "ECE"], cells),
        "",
    ]


def _text(report: Report) -> list[str]:
    cells = [
        [
            WRITTEN[corpus],
            str(model["n"]),
            share(model["weighted_f1"]),
            _floor(report[corpus], "weighted_f1"),
            interval(model["balanced_accuracy"]),
            share(model["ece_after"]),
        ]
        for corpus in WRITTEN
        for model in report[corpus][:1]
    ]
    return [
        "**`mini` by words**, seven classes, on the corpora's own development files, which trained nothing:",
        "",
        *table(["", "n", "weighted F1", "best simple model", "balanced accuracy", "ECE"], cells),
        "",
    ]


def _floor(rows: list[dict[str, Any]], figure: str) -> str:
    floors = [row for row in rows if row["kind"] == "baseline"]
    if not floors:
        return "–"
    best = max(floors, key=lambda row: _value(row[figure]))
    return f"{_value(best[figure]):.3f} ({best['name']})"


def _value(figure: Any) -> float:
    """A figure that may have an interval."""
    return float(figure["value"] if isinstance(figure, dict) else figure)
