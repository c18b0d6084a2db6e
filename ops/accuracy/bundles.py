"""The shipped models in README: what the reports beside their bundles say."""

from typing import Any

from ml.reports.markdown import interval, share, table
from ops.accuracy.stored import Report, Stored

SPEECH, TEXT = "mini-speech", "mini-text"
#: Corpora of the reports.
SPOKEN = {"ravdess": "RAVDESS", "nemo": "nEMO"}
WRITTEN = {"meld": "MELD", "goemotions": "GoEmotions"}


def bundle_tables(stored: Stored) -> list[str]:
    """A table for every bundle that has a report."""
    lines: list[str] = []
    if SPEECH in stored.bundles:
        lines += [*_speech(stored.bundles[SPEECH]), *stored.commands[SPEECH], ""]
    if TEXT in stored.bundles:
        lines += [*_text(stored.bundles[TEXT]), *stored.commands[TEXT], ""]
    return lines


def _speech(report: Report) -> list[str]:
    cells = []
    for corpus, name in SPOKEN.items():
        own, floor = report["corpora"][corpus], report["floor"]
        classes = sum(found is not None for found in own["recall"].values())
        cells.append(
            [
                name,
                str(own["utterances"]),
                str(own["speakers"]),
                interval(own["four_classes"]["balanced_accuracy"]),
                interval(floor[corpus]) if floor else "–",
                f"{interval(own['all_classes']['balanced_accuracy'])} of {classes}",
                share(report["calibration_error"][corpus]["after"]),
            ]
        )
    header = ["", "n", "speakers", "balanced accuracy, 4 classes", "floor, same folds", "all classes", "ECE"]
    return [
        f"**`mini` by voice** ([card](ml/bundles/shipped/{SPEECH}/MODEL_CARD.md)), {len(report['folds'])} folds of",
        "whole speakers: each is scored by a model, and with a temperature, that have not heard them. The floor is",
        "eGeMAPS features with an SVM:",
        "",
        *table(header, cells),
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
        f"**`mini` by words** ([card](ml/bundles/shipped/{TEXT}/MODEL_CARD.md)), seven classes, on the corpora's own",
        "development files, which trained nothing:",
        "",
        *table(["", "n", "weighted F1", "best simple model", "balanced accuracy", "ECE"], cells),
        "",
    ]


def _floor(rows: list[dict[str, Any]], figure: str) -> str:
    floors = [row for row in rows if row["kind"] == "baseline"]
    if not floors:
        return "–"
    best = max(floors, key=lambda row: float(row[figure]))
    return f"{best[figure]:.3f} ({best['name']})"
