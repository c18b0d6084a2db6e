"""What a model or baseline predicted for the test items of all folds, and the figures of it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.training.metrics import (
    bootstrap,
    confusion,
    expected_calibration_error,
    macro_f1,
    recalls,
    reliability,
    weighted_f1,
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Predictions for some items, each tested in one fold. `probabilities` are None where a baseline has none."""

    name: str
    #: Positions of the items in the data set, [N].
    items: NDArray[np.int64]
    predicted: NDArray[np.int64]
    probabilities: NDArray[np.float64] | None = None
    #: After temperature scaling; None where there was no development set to fit it on.
    calibrated: NDArray[np.float64] | None = None
    kind: str = "model"
    notes: tuple[str, ...] = ()
    #: Further figures of the row, as JSON holds them.
    extra: Mapping[str, Any] = field(default_factory=dict)


def of_folds(name: str, results: Sequence[Mapping[str, Any]]) -> Outcome:
    """The outcome over the test items of finished folds."""
    tests = [result["test"] for result in results]
    probabilities = np.concatenate([np.asarray(test["probabilities"], dtype=np.float64) for test in tests])
    fitted = all(result["temperature"] is not None for result in results)
    return Outcome(
        name,
        np.concatenate([np.asarray(test["items"], dtype=np.int64) for test in tests]),
        probabilities.argmax(axis=1),
        probabilities,
        np.concatenate([np.asarray(test["calibrated"], dtype=np.float64) for test in tests]) if fitted else None,
    )


def figures(
    outcome: Outcome, labels: NDArray[np.int64], speakers: Sequence[str], classes: Sequence[str]
) -> dict[str, Any]:
    """The row of a report: metrics with intervals over speakers, recall and confusion by class, calibration."""
    truth = labels[outcome.items]
    matrix = confusion(truth, outcome.predicted, len(classes))
    intervals = bootstrap(truth, outcome.predicted, [speakers[i] for i in outcome.items], len(classes))
    row: dict[str, Any] = {
        "name": outcome.name,
        "kind": outcome.kind,
        "n": len(truth),
        **{name: asdict(interval) for name, interval in intervals.items()},
        "macro_f1": macro_f1(truth, outcome.predicted),
        "weighted_f1": weighted_f1(truth, outcome.predicted),
        "recall": dict(zip(classes, recalls(matrix), strict=True)),
        "confusion": matrix.tolist(),
        "notes": list(outcome.notes),
        **outcome.extra,
    }
    for name, values in (("before", outcome.probabilities), ("after", outcome.calibrated)):
        row[f"ece_{name}"] = None if values is None else expected_calibration_error(values, truth)
        row[f"reliability_{name}"] = [] if values is None else [asdict(b) for b in reliability(values, truth)]
    return row


def trained(results: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """How much went into every model: its parameters, and by fold the steps made and the one that was kept."""
    return [
        {
            "name": name,
            "parameters": own[0]["parameters"],
            "steps": [result["history"]["steps"] for result in own],
            "kept": [result["history"]["best_step"] for result in own],
            "temperatures": [result["temperature"] for result in own],
        }
        for name, own in results.items()
        if own
    ]
